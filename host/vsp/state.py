# SPDX-License-Identifier: MIT
"""What the VSP remembers of one bus: frozen, hashable, and small. Knows no effect and no table.

Statements of fact about a function (its identity, what its base registers answer when sized) are
in :class:`FunctionFacts`, which never changes; where the conversation stands is in the rest.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from host.effects import InterruptEntry
from host.events import HostEvent
from protocol.ids import SlotNumber

BUSES_KEPT: Final = 256  # more than the largest built-in scenario has


class Phase(IntEnum):
    """Where the conversation on the channel stands."""

    CLOSED = 0  # offered, not opened
    FRESH = 1  # open, no version agreed
    READY = 2  # version agreed, bus not in D0
    IN_D0 = 3
    STOPPED = 4  # open, and nobody reads it (profile openvmm)
    GONE = 5  # rescinded


class FunctionPhase(IntEnum):
    """Where one function stands between the host that lends it and the guest that holds it."""

    PRESENT = 0
    ASSIGNED = 1  # the guest has sent RESOURCES_ASSIGNED
    EJECTING_PRESENT = 2  # EJECT sent to a guest that has no resources assigned
    EJECTING = 3


class FunctionMove(IntEnum):
    """What moves a function from phase to phase."""

    ASSIGN = 0
    RELEASE = 1
    EJECT = 2


FUNCTION_MOVES: Final = {
    (FunctionPhase.PRESENT, FunctionMove.ASSIGN): FunctionPhase.ASSIGNED,
    (FunctionPhase.PRESENT, FunctionMove.RELEASE): FunctionPhase.PRESENT,
    (FunctionPhase.PRESENT, FunctionMove.EJECT): FunctionPhase.EJECTING_PRESENT,
    (FunctionPhase.ASSIGNED, FunctionMove.ASSIGN): FunctionPhase.ASSIGNED,
    (FunctionPhase.ASSIGNED, FunctionMove.RELEASE): FunctionPhase.PRESENT,
    (FunctionPhase.ASSIGNED, FunctionMove.EJECT): FunctionPhase.EJECTING,
    # An ejected device works on until the guest says it is done: so do these.
    (FunctionPhase.EJECTING_PRESENT, FunctionMove.ASSIGN): FunctionPhase.EJECTING,
    (FunctionPhase.EJECTING_PRESENT, FunctionMove.RELEASE): FunctionPhase.EJECTING_PRESENT,
    (FunctionPhase.EJECTING, FunctionMove.ASSIGN): FunctionPhase.EJECTING,
    (FunctionPhase.EJECTING, FunctionMove.RELEASE): FunctionPhase.EJECTING_PRESENT,
}
"""Every lawful move. A function that is being ejected is not ejected again: no row."""

EJECTING_PHASES: Final = frozenset({FunctionPhase.EJECTING_PRESENT, FunctionPhase.EJECTING})
ASSIGNED_PHASES: Final = frozenset({FunctionPhase.ASSIGNED, FunctionPhase.EJECTING})


class FunctionFacts(msgspec.Struct, frozen=True, cache_hash=True):
    """Who a function is. Names are the wire's (``pci_function_description2``).

    ``numa_node`` None means the host gives no affinity. ``probed_bars`` are the six raw read-backs
    of all ones, 64-bit pairs in two words.
    """

    wslot: SlotNumber
    v_id: int
    d_id: int
    rev: int
    prog_intf: int
    subclass: int
    base_class: int
    subsystem_id: int
    ser: int
    probed_bars: tuple[int, ...]
    numa_node: int | None = None


class FunctionState(msgspec.Struct, frozen=True, cache_hash=True):
    """One function on the bus.

    ``interrupts`` are the live entries, oldest first. ``pending_mask`` are invalidated blocks not
    yet told to the guest.
    """

    facts: FunctionFacts
    phase: FunctionPhase = FunctionPhase.PRESENT
    interrupts: tuple[InterruptEntry, ...] = ()
    pending_mask: int = 0
    resources_set: bool = False  # OpenVMM reports resources only after ASSIGNED_RESOURCES


class VspState(msgspec.Struct, frozen=True, cache_hash=True):
    """One bus. ``functions`` are in ascending slots; ``version`` 0 means none agreed.

    ``powered`` can outlive the channel (a crashed guest left the bus in D0); ``listed`` says that
    this guest has been told its relations; ``faults`` are armed: type, answer and event, each once.
    """

    phase: Phase = Phase.CLOSED
    functions: tuple[FunctionState, ...] = ()
    version: int = 0
    powered: bool = False
    listed: bool = False
    rescind_armed: bool = False
    faults: tuple[tuple[int, bytes | None, HostEvent], ...] = ()


@lru_cache(maxsize=BUSES_KEPT)
def initial_state(functions: tuple[FunctionFacts, ...]) -> VspState:
    """Return an offered bus with these functions on it, channel not open."""
    ordered = sorted(functions, key=lambda facts: facts.wslot)
    return VspState(functions=tuple(FunctionState(facts) for facts in ordered))


def find(state: VspState, wslot: int) -> FunctionState | None:
    """Return the function in this slot; all 32 bits count, reserved ones too."""
    for function in state.functions:
        if function.facts.wslot == wslot:
            return function
    return None


def with_function(state: VspState, changed: FunctionState) -> VspState:
    """Return the state with the function of the same slot exchanged."""
    slot = changed.facts.wslot
    functions = tuple(
        changed if function.facts.wslot == slot else function for function in state.functions
    )
    return replace(state, functions=functions)


def without_function(state: VspState, wslot: int) -> VspState:
    """Return the state without the function of this slot."""
    functions = tuple(f for f in state.functions if f.facts.wslot != wslot)
    return replace(state, functions=functions)
