# SPDX-License-Identifier: MIT
"""Whoever waits for an event: counts what has happened, and wakes the waiters.

Knows which device an event is about: host events say the offer's name, guest events the relid,
the PCI core's the address; the first two events that tie those together are remembered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from guest.events import DomainChosen
from guest.kernel.context import Context, Scheduler, WaitQueue
from host.events import ChannelMoved, ChannelOffered
from protocol.ids import Devfn, devfn_to_wslot
from sim.event_names import EVENT_NAMES


class Watch:
    """Counts the kinds of events that some actor waits for: all, by bus, and by bus and slot.

    An event that names no slot is about every function of its bus.
    """

    def __init__(self, names: Iterable[str], scheduler: Scheduler) -> None:
        self.kinds: frozenset[type] = frozenset(
            {EVENT_NAMES[name] for name in names} | {ChannelOffered, ChannelMoved, DomainChosen}
        )
        self._scheduler = scheduler
        self._counts: Counter[tuple[type, str | None, int | None]] = Counter()
        self._bus_of_relid: dict[int, str] = {}
        self._bus_of_domain: dict[int, str] = {}
        self._queue = WaitQueue("event")

    def see(self, event: object) -> None:
        """An event of one of ``kinds`` has happened."""
        kind = type(event)
        if isinstance(event, (ChannelOffered, ChannelMoved)):
            self._bus_of_relid[event.relid] = event.bus
        elif isinstance(event, DomainChosen):
            self._bus_of_domain[event.domain] = self._bus_of_relid.get(event.relid, "")
        self._counts[kind, None, None] += 1
        bus = self.bus_of(event)
        if bus is not None:
            self._counts[kind, bus, slot_of(event)] += 1
        waiters, self._queue.waiters = self._queue.waiters, []
        for context in waiters:
            self._scheduler.wake(context)

    def bus_of(self, event: object) -> str | None:
        """The name of the offer that the event is about, if it is about one."""
        bus = getattr(event, "bus", None)
        if isinstance(bus, str) and ":" not in bus:
            return bus
        relid = getattr(event, "relid", None)
        if relid is not None:
            return self._bus_of_relid.get(relid)
        address = getattr(event, "address", bus)
        if isinstance(address, str):
            return self._bus_of_domain.get(int(address.partition(":")[0], 16))
        return None

    def count(self, name: str) -> int:
        """How often the event has happened so far."""
        return self._counts[EVENT_NAMES[name], None, None]

    def count_of(self, name: str, bus: str, wslot: int) -> int:
        """How often it has happened so far to that function, or to its whole bus."""
        kind = EVENT_NAMES[name]
        return self._counts[kind, bus, wslot] + self._counts[kind, bus, None]

    def enlist(self, context: Context) -> None:
        """Wake this context at the next event of a kind that somebody waits for."""
        self._queue.waiters.append(context)


def slot_of(event: object) -> int | None:
    """The wire's slot number that the event names, itself or in a PCI address."""
    address = getattr(event, "address", None)
    if isinstance(address, str):
        device, _, function = address.rpartition(":")[2].partition(".")
        return int(devfn_to_wslot(Devfn(int(device, 16) << 3 | int(function, 16))))
    wslot = getattr(event, "wslot", None)
    return int(wslot) if wslot is not None else None
