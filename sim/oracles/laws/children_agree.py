# SPDX-License-Identifier: MIT
"""In the end the guest has the functions that the host's last list names, and no others.

Judged at the end, for channels that are open then. A function that was given up on the host's
demand is not missed. What the guest could not take in, for want of memory, is lost with nobody to
ask again (open item O15), and so is a function whose resources it could not ask for because the
ring was full (O14).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final

from guest.events import (
    ChildAdded,
    ChildRemoved,
    FunctionReturned,
    KernelCrashed,
    MessageIgnored,
    RelationsQueued,
)
from host.events import ChannelClosed, ChannelOffered, ChannelOpened, Rescinded
from protocol.errors import WireFormatError
from protocol.link import PacketPublished
from protocol.vpci import MessageType, PciBusRelations, PciBusRelations2
from sim.fault_events import FaultInjected
from sim.faults import RING_FULL
from sim.oracles.law import (
    HEAD_BYTES,
    Finding,
    Law,
    OpenItem,
    Sees,
    forget_all,
    slot_of,
    to_guest,
    to_host,
)

LISTS_KEPT: Final = 256  # a campaign sees the same few again and again

Identity = tuple[int, int]  # wslot, serial number
RECORDS: Final[Mapping[bytes, type[PciBusRelations | PciBusRelations2]]] = {
    to_guest(MessageType.PCI_BUS_RELATIONS).head: PciBusRelations,
    to_guest(MessageType.PCI_BUS_RELATIONS2).head: PciBusRelations2,
}


class _Bus:
    """What one channel has carried since it was opened, and what came of it."""

    __slots__ = ("asked", "children", "given_up", "judged", "last", "queued", "sent")

    def __init__(self) -> None:
        self.children: list[Identity] = []
        self.judged = False  # the channel is open and nothing excuses the guest
        self.last: tuple[Identity, ...] | None = None  # the host's last list
        self.given_up: set[int] = set()  # slots, since that list
        self.asked: set[int] = set()  # slots whose resources the guest asked for since
        self.sent = 0
        self.queued = 0

    def wanted(self) -> list[Identity]:
        """The functions of the host's last list, less what was given up since."""
        return sorted(entry for entry in self.last or () if entry[0] not in self.given_up)


@lru_cache(maxsize=LISTS_KEPT)
def _functions(payload: bytes) -> tuple[Identity, ...] | None:
    """The functions of a list, whichever form it has; None if it ends too soon to be one."""
    try:
        record = RECORDS[payload[:HEAD_BYTES]].parse(payload)
    except WireFormatError:
        return None
    return tuple((function.win_slot, function.ser) for function in record.func)


class ChildrenAgree(Law):
    """Each bus is compared once the trace is over."""

    name = "the guest's functions end equal to the host's last word"
    kind = "lost-device"

    def __init__(self) -> None:
        self._buses: defaultdict[int, _Bus] = defaultdict(_Bus)
        self._ring_was_full = False

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._buses[event.relid] = _Bus()

    def _fault(self, event: FaultInjected, *_: object) -> None:
        self._ring_was_full |= event.fault == RING_FULL

    def _opened(self, event: ChannelOpened, *_: object) -> None:
        bus = self._buses[event.relid]
        bus.judged = True
        bus.last, bus.sent, bus.queued = None, 0, 0

    def _excused(self, event: ChannelClosed | Rescinded | MessageIgnored, *_: object) -> None:
        self._buses[event.relid].judged = False

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        """A bus whose probe failed is freed without its children (open item O7)."""
        if event.errno and event.function == "hv_pci_probe":
            self._buses[event.relid].judged = False
            self._buses[event.relid].children.clear()

    def _listed(self, event: PacketPublished, *_: object) -> None:
        functions = _functions(event.payload)
        if functions is None:
            return  # a hostile host's: the guest drops it
        bus = self._buses[event.relid]
        bus.last = functions
        bus.sent += 1
        bus.given_up.clear()
        bus.asked.clear()

    def _given_up(self, event: PacketPublished, *_: object) -> None:
        self._buses[event.relid].given_up.add(slot_of(event))

    def _queried(self, event: PacketPublished, *_: object) -> None:
        self._buses[event.relid].asked.add(slot_of(event))

    def _queued(self, event: RelationsQueued, *_: object) -> None:
        self._buses[event.relid].queued += 1

    def _added(self, event: ChildAdded, *_: object) -> None:
        self._buses[event.relid].children.append((event.wslot, event.serial))

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        children = self._buses[event.relid].children
        if (event.wslot, event.serial) in children:
            children.remove((event.wslot, event.serial))

    def _crashed(self, *_: object) -> None:
        forget_all(self._buses)
        self._ring_was_full = False

    def end(self, _at_ns: int) -> Finding:
        """Compare, for each channel that is open."""
        for relid, bus in self._buses.items():
            if not bus.judged or bus.last is None:
                continue
            wanted, children = bus.wanted(), sorted(bus.children)
            if wanted == children:
                continue
            message = f"channel {relid} has {_told(children)} where the host says {_told(wanted)}"
            if bus.queued < bus.sent:
                return OpenItem("O15", message)
            missing = [function for function in wanted if function not in children]
            if missing and not any(wslot in bus.asked for wslot, _ in missing):
                return OpenItem("O14" if self._ring_was_full else "O15", message)
            return message
        return None

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChannelOpened: _opened,
        ChannelClosed: _excused,
        Rescinded: _excused,
        MessageIgnored: _excused,
        FunctionReturned: _returned,
        to_guest(MessageType.PCI_BUS_RELATIONS): _listed,
        to_guest(MessageType.PCI_BUS_RELATIONS2): _listed,
        to_host(MessageType.PCI_EJECTION_COMPLETE): _given_up,
        to_host(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS): _queried,
        RelationsQueued: _queued,
        FaultInjected: _fault,
        ChildAdded: _added,
        ChildRemoved: _removed,
    }


def _told(functions: list[Identity]) -> str:
    slots = ", ".join(hex(wslot) for wslot, _ in functions)
    return f"slots {slots}" if slots else "no functions"
