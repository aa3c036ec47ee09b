# SPDX-License-Identifier: MIT
"""What a bus's functions put off: accesses to configuration space that they answer late, or never.

The processor that made such an access stands still meanwhile, and nobody else does. Whoever puts
something off is told so beforehand by an administrator, once for each access. Knows no address.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from host.address_map import all_ones
from host.clock import Clock
from host.events import AccessDeferred
from protocol.ids import SlotNumber

Access: TypeAlias = Literal["read", "write"]
ACCESSES: Final[tuple[Access, ...]] = ("read", "write")
BOTH: Final = "both"
NEVER: Final = 0  # an answer that does not come, in place of nanoseconds
LABEL: Final = "deferred write"


class ReadHold:
    """For how long the read just made holds its processor; one for a partition."""

    __slots__ = ("_ns",)

    def __init__(self) -> None:
        self._ns = 0

    def put(self, ns: int) -> None:
        """So many nanoseconds."""
        self._ns = ns

    def take(self) -> int:
        """Nanoseconds, 0 for nearly every read; asked once."""
        ns = self._ns
        if ns:
            self._ns = 0
        return ns


class Deferral:
    """Of one bus. ``patience_ns`` is how long the host waits for an answer at most.

    ``armed`` is what its functions will put off: by slot and access, for how many nanoseconds.
    """

    __slots__ = ("_bus", "_clock", "_emit", "_hold", "_patience_ns", "armed")

    def __init__(
        self,
        bus: str,
        clock: Clock,
        emit: Callable[[object], None],
        hold: ReadHold,
        patience_ns: int,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._emit = emit
        self._hold = hold
        self._patience_ns = patience_ns
        self.armed: dict[tuple[int, Access], int] = {}

    def arm(self, wslot: SlotNumber, kind: str, for_ns: int) -> None:
        """The function puts off its next access, or the next of both kinds; NEVER answers none.

        Raises ValueError for a kind that is none.
        """
        if kind not in (*ACCESSES, BOTH):
            raise ValueError(f"unknown access {kind!r}; known: {', '.join(ACCESSES)}, {BOTH}")
        self.armed |= {(wslot, each): for_ns for each in ACCESSES if kind in (each, BOTH)}

    def read(self, wslot: SlotNumber, size: int, value: int) -> int:
        """What a read gives that would give ``value``; its processor is held as long as it takes.

        Model: the device looks when it is asked, and answers late.
        """
        for_ns = self.armed.pop((wslot, "read"), None)
        if for_ns is None:
            return value
        self._hold.put(self._held_ns(wslot, "read", for_ns))
        return value if self._in_time(for_ns) else all_ones(size)

    def write(self, wslot: SlotNumber, act: Callable[[], None]) -> int:
        """Nanoseconds that the processor is held, 0 if nothing is put off.

        Otherwise ``act`` is done at the end of that time, or never. Model: what it sets off, such
        as BARs being mapped, holds nobody any longer.
        """
        for_ns = self.armed.pop((wslot, "write"), None)
        if for_ns is None:
            return 0
        if self._in_time(for_ns):
            self._clock.later((for_ns, for_ns), LABEL, act)
        return self._held_ns(wslot, "write", for_ns) + 1  # it goes on once that is done

    def _in_time(self, for_ns: int) -> bool:
        return for_ns != NEVER and for_ns <= self._patience_ns

    def _held_ns(self, wslot: SlotNumber, access: Access, for_ns: int) -> int:
        held_ns = for_ns if self._in_time(for_ns) else self._patience_ns
        self._emit(AccessDeferred(self._bus, wslot, access, held_ns))
        return held_ns
