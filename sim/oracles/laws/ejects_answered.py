# SPDX-License-Identifier: MIT
"""An EJECT of a function that the guest has linked is answered once, and in time.

Knows the 60 s that Linux says the host waits (hv_eject_device_work()'s comment on the protocol) and
nothing of how a function is given up. What excuses the guest: the channel went, another list
removed the function, the driver was being removed, or the ring was full.
"""

from __future__ import annotations

from errno import EAGAIN
from typing import ClassVar, Final

from guest.events import (
    ChildAdded,
    ChildRemoved,
    EjectCompleted,
    EjectQueued,
    KernelCrashed,
    MessageIgnored,
)
from host.events import ChannelClosed, ChannelOffered, EjectOverdue, Rescinded
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.oracles.law import (
    Finding,
    Law,
    OpenItem,
    Sees,
    forget,
    forget_all,
    slot_named,
    slot_of,
    to_guest,
    to_host,
)

GRACE_NS: Final = 60 * 10**9

Place = tuple[int, int]  # relid, wslot


class EjectsAnswered(Law):
    """``asked`` are EJECTs that an answer is owed to, ``taken`` those whose work has not ended."""

    name = "an eject of a linked function is answered exactly once within 60 s"
    kind = "protocol"

    def __init__(self) -> None:
        self._relids: dict[str, int] = {}
        self._linked: set[Place] = set()
        self._asked: dict[Place, list[int]] = {}  # when
        self._may_answer: dict[Place, int] = {}  # how often, owed or not
        self._early: set[Place] = set()  # asked for before they were linked
        self._taken: dict[Place, int] = {}  # how often

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relids[event.bus] = event.relid
        for kept in (self._asked, self._may_answer, self._early):
            forget(kept, event.relid)

    def _gone(self, event: Rescinded, *_: object) -> None:
        forget(self._asked, event.relid)

    def _closed(self, event: ChannelClosed, *_: object) -> None:
        """The channel may open again, and then nobody has been asked for anything yet."""
        for kept in (self._asked, self._may_answer, self._early):
            forget(kept, event.relid)

    def _added(self, event: ChildAdded, *_: object) -> None:
        self._linked.add((event.relid, event.wslot))

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        place = event.relid, event.wslot
        self._linked.discard(place)
        if event.why != "eject":
            self._asked.pop(place, None)

    def _ignored(self, event: MessageIgnored, *_: object) -> None:
        if event.message == "EJECT":
            forget(self._asked, event.relid)

    def _eject_sent(self, event: PacketPublished, at_ns: int, _context: object) -> None:
        place = event.relid, slot_of(event)
        self._may_answer[place] = self._may_answer.get(place, 0) + 1
        if place in self._linked:
            self._asked.setdefault(place, []).append(at_ns)
        else:
            self._early.add(place)

    def _queued(self, event: EjectQueued, *_: object) -> None:
        place = event.relid, event.wslot
        self._taken[place] = self._taken.get(place, 0) + 1

    def _completed(self, event: EjectCompleted, *_: object) -> None:
        place = event.relid, event.wslot
        self._taken[place] = self._taken.get(place, 0) - 1
        if event.errno == -EAGAIN:  # the ring was full, and nobody tries again (open item O14)
            self._asked.pop(place, None)

    def _answered(self, event: PacketPublished, at_ns: int, _context: object) -> Finding:
        wslot = slot_of(event)
        place = event.relid, wslot
        if not self._may_answer.get(place):
            return f"PCI_EJECTION_COMPLETE for {slot_named(wslot)}, which nobody asked for"
        self._may_answer[place] -= 1
        asked = self._asked.get(place)
        took_ns = at_ns - asked.pop(0) if asked else 0
        if took_ns > GRACE_NS:
            # A slow function driver holds the work up: a limit of the design (O18).
            return OpenItem("O18", f"eject of slot {wslot:#x} answered after {took_ns / 1e9:g} s")
        return None

    def _overdue(self, event: EjectOverdue, *_: object) -> Finding:
        place = self._relids.get(event.bus, 0), event.wslot
        if place in self._taken or place not in self._linked:
            return None
        message = f"the guest lost the EJECT of slot {event.wslot:#x}"
        if place in self._early:
            return OpenItem("O4", message)
        return message if self._asked.get(place) else None

    def _crashed(self, *_: object) -> None:
        forget_all(self._linked, self._asked, self._may_answer, self._early, self._taken)

    def end(self, at_ns: int) -> Finding:
        """Whether an eject is left that was taken on, or that is late."""
        for (_, wslot), often in self._taken.items():
            if often > 0:
                return f"the eject of slot {wslot:#x} was taken on and never completed"
        for (_, wslot), since in self._asked.items():
            if since and at_ns - since[0] > GRACE_NS:
                return f"the eject of slot {wslot:#x} was never answered"
        return None

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        Rescinded: _gone,
        ChannelClosed: _closed,
        ChildAdded: _added,
        ChildRemoved: _removed,
        MessageIgnored: _ignored,
        EjectQueued: _queued,
        EjectCompleted: _completed,
        EjectOverdue: _overdue,
        to_guest(MessageType.PCI_EJECT): _eject_sent,
        to_host(MessageType.PCI_EJECTION_COMPLETE): _answered,
    }
