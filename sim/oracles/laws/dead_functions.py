# SPDX-License-Identifier: MIT
"""Nobody touches a function after the guest has told the host that it gave it up.

From PCI_EJECTION_COMPLETE on the host may take the function away: its registers, its memory and its
interrupts are no longer the guest's, until a list brings another function into that slot. Where the
eject had removed the PCI device before, only a scan of the bus can have found the slot again, and
what the device that it made does from then on is the scan's doing: that is Linux's own window (open
item O5). Nor does an eject wait for a hibernation that has the device in hand (O33).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from guest.events import ChildAdded, DomainChosen, KernelCrashed
from guest.pci_core.events import BarAssigned, PciDevRemoved
from host.events import ChannelOffered
from protocol.link import (
    BarRead,
    BarWritten,
    ConfigRead,
    ConfigWritten,
    PacketPublished,
    UnclaimedAccess,
)
from protocol.vpci import MessageType
from sim.oracles.addresses import address_of
from sim.oracles.hibernation import by_hibernation
from sim.oracles.law import (
    AWAKE,
    CREATE_MESSAGES,
    Finding,
    Law,
    OpenItem,
    Sees,
    forget,
    forget_all,
    slot_of,
    to_guest,
    to_host,
)

INTERRUPT_CHANGES = (*CREATE_MESSAGES, MessageType.PCI_DELETE_INTERRUPT_MESSAGE)

Place = tuple[str, int]  # bus, wslot


class _Bar(NamedTuple):
    place: Place
    start: int
    end: int


class DeadFunctions(Law):
    """``dead`` are the functions that were given up; ``removed`` those whose PCI device went after
    the host had ``asked`` for them."""

    name = "a function that was given up is not touched again"
    kind = "dead-device-access"

    def __init__(self) -> None:
        self._bus_of_relid: dict[int, str] = {}
        self._bus_of_domain: dict[int, str] = {}
        self._bars: dict[int, _Bar] = {}  # by start; the youngest owner
        self._asked: set[Place] = set()
        self._removed: set[Place] = set()
        self._dead: set[Place] = set()

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._bus_of_relid[event.relid] = event.bus
        for places in (self._asked, self._dead):
            forget(places, event.bus)

    def _domain_chosen(self, event: DomainChosen, *_: object) -> None:
        self._bus_of_domain[event.domain] = self._bus_of_relid.get(event.relid, "")

    def _place(self, address: str) -> Place:
        domain, wslot = address_of(address)
        return self._bus_of_domain.get(domain, ""), wslot

    def _dev_removed(self, event: PciDevRemoved, *_: object) -> None:
        place = self._place(event.address)
        if place in self._asked:
            self._removed.add(place)

    def _bar_assigned(self, event: BarAssigned, *_: object) -> None:
        start = event.start
        self._bars[start] = _Bar(self._place(event.address), start, start + event.size_bytes)

    def _child_added(self, event: ChildAdded, *_: object) -> None:
        place = self._bus_of_relid.get(event.relid, ""), event.wslot
        for places in (self._dead, self._removed, self._asked):
            places.discard(place)

    def _eject_sent(self, event: PacketPublished, *_: object) -> None:
        self._asked.add((self._bus_of_relid.get(event.relid, ""), slot_of(event)))

    def _given_up(self, event: PacketPublished, *_: object) -> Finding:
        self._dead.add((self._bus_of_relid.get(event.relid, ""), slot_of(event)))
        return AWAKE

    def _config_touched(
        self, event: ConfigRead | ConfigWritten, _at_ns: int, context: object
    ) -> Finding:
        if (event.bus, event.wslot) not in self._dead:
            return None
        what = f"configuration space at {event.offset:#x}"
        if by_hibernation(context):
            return OpenItem("O33", _touched((event.bus, event.wslot), what))
        return self._finding((event.bus, event.wslot), what)

    def _bar_touched(self, event: BarRead | BarWritten, *_: object) -> Finding:
        if (event.bus, event.wslot) in self._dead:
            what = f"BAR {event.bar} at {event.offset:#x}"
            return self._finding((event.bus, event.wslot), what)
        return None

    def _unclaimed(self, event: UnclaimedAccess, *_: object) -> Finding:
        for place, start, end in reversed(self._bars.values()):
            if start <= event.gpa < end:
                gone = place in self._dead
                return self._finding(place, f"BAR memory at {event.gpa:#x}") if gone else None
        return None

    def _interrupt_changed(self, event: PacketPublished, *_: object) -> Finding:
        place = self._bus_of_relid.get(event.relid, ""), slot_of(event)
        return self._finding(place, "an interrupt") if place in self._dead else None

    def _finding(self, place: Place, what: str) -> Finding:
        message = _touched(place, what)
        return OpenItem("O5", message) if place in self._removed else message

    def _crashed(self, *_: object) -> None:
        forget_all(self._bus_of_domain, self._bars, self._asked, self._removed)

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        DomainChosen: _domain_chosen,
        PciDevRemoved: _dev_removed,
        BarAssigned: _bar_assigned,
        ChildAdded: _child_added,
        to_guest(MessageType.PCI_EJECT): _eject_sent,
        to_host(MessageType.PCI_EJECTION_COMPLETE): _given_up,
    }
    sees_awake: ClassVar[Sees] = {
        ConfigRead: _config_touched,
        ConfigWritten: _config_touched,
        BarRead: _bar_touched,
        BarWritten: _bar_touched,
        UnclaimedAccess: _unclaimed,
        **dict.fromkeys(map(to_host, INTERRUPT_CHANGES), _interrupt_changed),
    }


def _touched(place: Place, what: str) -> str:
    bus, wslot = place
    return f"{what} of slot {wslot:#x} of {bus} was touched after its eject was complete"
