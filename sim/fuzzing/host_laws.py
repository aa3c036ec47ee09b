# SPDX-License-Identifier: MIT
"""What must hold of a host whatever its guest has written: lawful state, bounded memory.

Stated here once more, from what the states mean, and not derived from the tables that lead there.
Each function names what is wrong, in words; nothing means that all is well. Reads and changes
nothing. How packets must be answered is ``sim/fuzzing/host_answers.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from host.bus import VpciBus
from host.gpadls import MAX_GPADLS
from host.partition import MESSAGES_WAITING_MAX, Partition
from host.vsp import FunctionPhase, Phase, VspState
from host.vsp.removal import EJECT_TIMER, RESCIND_TIMER
from host.vsp.state import ASSIGNED_PHASES, EJECTING_PHASES, FunctionState

AGREED: Final = frozenset({Phase.READY, Phase.IN_D0})
HAS_CHANNEL: Final = frozenset({Phase.FRESH, Phase.STOPPED}) | AGREED
BLOCKS: Final = 64  # bits of an invalidation mask
# One packet is read at a time, and none while any waits for room. The longest answer is a list, a
# completion and the list that follows an eject; an administrator's own packets come on top.
PACKETS_WAITING_MAX: Final = 8


def state_complaints(state: VspState) -> Iterator[str]:
    """What is unlawful about a VSP's state, taken by itself."""
    slots = [function.facts.wslot for function in state.functions]
    if slots != sorted(set(slots)):
        yield f"slots {slots} are not in order, or one is there twice"
    if (state.phase in AGREED) > bool(state.version):
        yield f"{state.phase.name} without a version"
    if state.phase in {Phase.CLOSED, Phase.FRESH, Phase.GONE} and (state.version or state.listed):
        yield f"{state.phase.name} knows the version or list of a guest before"
    if state.phase is Phase.IN_D0 and not state.powered:
        yield "in D0 without power"
    if state.phase is Phase.READY and state.powered:
        yield "powered and not in D0"
    if state.rescind_armed and state.functions:
        yield "a rescind is due although functions are there"
    if state.phase is Phase.GONE and state != VspState(phase=Phase.GONE):
        yield "something is left of a bus that is gone"
    for function in state.functions:
        yield from _function_complaints(state, function)


def _function_complaints(state: VspState, function: FunctionState) -> Iterator[str]:
    named = f"slot {function.facts.wslot:#x}"
    messages = [(entry.address, entry.data) for entry in function.interrupts]
    if len(set(messages)) != len(messages):
        yield f"{named} has two interrupts with one message"
    if any(entry.vector_count < 1 for entry in function.interrupts):
        yield f"{named} has an interrupt without a vector"
    if not 0 <= function.pending_mask < 1 << BLOCKS:
        yield f"{named} has blocks that no mask can name"
    if function.pending_mask and state.phase not in AGREED | {Phase.STOPPED}:
        yield f"{named} has a notice for a guest that is not there"
    if function.resources_set and function.phase not in ASSIGNED_PHASES:
        yield f"{named} has resources that nobody assigned"


def profile_complaints(profile: str, state: VspState) -> Iterator[str]:
    """What a state may not hold on this kind of host."""
    phases = {function.phase for function in state.functions}
    if profile == "openvmm":
        if phases & EJECTING_PHASES:
            yield "an eject on a host that has none"
        if len(state.functions) > 1:
            yield "two functions on a host that offers one"
        return
    if any(function.resources_set for function in state.functions):
        yield "a resource list, which this host does not read"
    for function in state.functions:
        held = function.phase in {FunctionPhase.PRESENT, FunctionPhase.EJECTING_PRESENT}
        if held and function.interrupts:
            yield f"slot {function.facts.wslot:#x} has interrupts and no resources"


def bus_complaints(bus: VpciBus) -> Iterator[str]:
    """Where the owner of a state holds something else than the state says."""
    state = bus.state
    slots = {function.facts.wslot for function in state.functions}
    if slots != set(bus.functions):
        yield f"functions {sorted(bus.functions)} live for slots {sorted(slots)}"
    if (bus.worker is not None) != (state.phase in HAS_CHANNEL):
        yield f"{state.phase.name}, and its rings are {'' if bus.worker else 'not '}in use"
    timers = {
        (EJECT_TIMER, int(function.facts.wslot))
        for function in state.functions
        if function.phase in EJECTING_PHASES
    }
    if state.rescind_armed:
        timers.add((RESCIND_TIMER, 0))
    if set(bus.timers) != timers:
        yield f"timers {sorted(bus.timers)} are armed for {sorted(timers)}"
    if bus.window.mapped and state.phase not in AGREED | {Phase.STOPPED}:
        yield f"{state.phase.name}, and the configuration window answers"


def entry_complaints(partition: Partition, bus: VpciBus) -> Iterator[str]:
    """Interrupts that lead nowhere, and remapping entries that are nobody's, of the only bus."""
    hypervisor = partition.hypervisor
    vectors = 0
    for function in bus.state.functions:
        device_id = bus.functions[function.facts.wslot].device_id
        for entry in function.interrupts:
            vectors += entry.vector_count
            if hypervisor.deliver(device_id, entry.address, entry.data) is None:
                yield f"interrupt {entry.address:#x}/{entry.data:#x} leads nowhere"
    entries = sum(hypervisor.pcpu_loads)
    if entries != vectors:
        yield f"{entries} remapping entries for {vectors} vectors"


def bound_complaints(partition: Partition, bus: VpciBus, lists: int) -> Iterator[str]:
    """What has grown beyond its bound; ``lists`` of memory may have been given."""
    counts = {
        "functions": (len(bus.functions), len(bus.config.functions)),
        "timers": (len(bus.timers), len(bus.config.functions) + 1),
        "memory lists": (partition.server.lists_held, min(lists, MAX_GPADLS)),
        "memory lists that are gone": (
            partition.server.lists_named - partition.server.lists_held,
            0,
        ),
        "control messages": (partition.messages_waiting, MESSAGES_WAITING_MAX),
    }
    if bus.worker is not None:
        counts["packets"] = bus.worker.packets_waiting, PACKETS_WAITING_MAX
        counts["notices"] = bus.worker.notices_waiting, len(bus.config.functions)
    for what, (there, allowed) in counts.items():
        if there > allowed:
            yield f"{there} {what} where {allowed} may be"


def complaints(
    profile: str, partition: Partition, bus: VpciBus, lists: int = MAX_GPADLS
) -> list[str]:
    """Everything that is wrong with a partition whose only bus this is.

    ``lists`` is how many lists of memory its guest may have given it since it connected.
    """
    found = [*state_complaints(bus.state), *profile_complaints(profile, bus.state)]
    found += bus_complaints(bus)
    if not found:  # the entries are looked for by what has been checked so far
        found += entry_complaints(partition, bus)
    return found + list(bound_complaints(partition, bus, lists))


def leftovers(partition: Partition, bus: VpciBus) -> list[str]:
    """What a bus that was rescinded has left behind."""
    found = []
    if bus.state.phase is not Phase.GONE:
        found.append(f"a rescinded bus in phase {bus.state.phase.name}")
    if bus.functions or bus.timers or bus.window.mapped or bus.worker is not None:
        found.append("functions, timers, a window or rings")
    if any(partition.hypervisor.pcpu_loads):
        found.append(f"{sum(partition.hypervisor.pcpu_loads)} remapping entries")
    return found
