# SPDX-License-Identifier: MIT
"""Power and resources change in the protocol's order.

D0 is entered before it is left and neither twice in a row; resources are assigned and released, and
interrupts created, in D0 only; slots are assigned in rising and released in falling order. After a
refused D0 entry Linux releases and leaves D0 once before it tries again, which is in order as well.
That a plain unload releases nothing before it leaves D0 is Linux's way (open item O23), and so is
what it sends on a bus whose suspend or resume has failed (O8).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import FunctionReturned, KernelCrashed
from host.events import ChannelOffered, ChannelOpened
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.oracles.hibernation import Hibernations
from sim.oracles.law import (
    ASSIGN_MESSAGES,
    CREATE_MESSAGES,
    NO_SLOT,
    Finding,
    Law,
    OpenItem,
    Sees,
    forget_all,
    slot_named,
    slot_of,
    to_host,
)


class LawfulPower(Law):
    """``powered`` are the relids between D0 entry and exit, as the guest has asked for them.

    ``assigned`` and ``released`` are the last slots since then.
    """

    name = "D0 and resources are taken and given back in order"
    kind = "protocol"

    def __init__(self) -> None:
        self._powered: set[int] = set()
        self._assigned: dict[int, int] = {}
        self._released: dict[int, int] = {}
        self._hibernations = Hibernations()

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        self._hibernations.see(event)

    def _finding(self, relid: int, message: str) -> Finding:
        return OpenItem("O8", message) if relid in self._hibernations.half_down else message

    def _fresh(self, event: ChannelOffered | ChannelOpened, *_: object) -> None:
        self._forget(event.relid)

    def _forget(self, relid: int) -> None:
        self._powered.discard(relid)
        self._assigned.pop(relid, None)
        self._released.pop(relid, None)

    def _d0_entry(self, event: PacketPublished, *_: object) -> Finding:
        if event.relid in self._powered:
            return "PCI_BUS_D0ENTRY in D0"
        self._forget(event.relid)
        self._powered.add(event.relid)
        return None

    def _d0_exit(self, event: PacketPublished, *_: object) -> Finding:
        if event.relid not in self._powered:
            return self._finding(event.relid, "PCI_BUS_D0EXIT out of D0")
        self._forget(event.relid)
        return None

    def _assign(self, event: PacketPublished, *_: object) -> Finding:
        relid, wslot = event.relid, slot_of(event)
        if relid not in self._powered:
            return f"resources of {slot_named(wslot)} assigned out of D0"
        if wslot == NO_SLOT:
            return "resources of no slot assigned: the message is too short to name one"
        if wslot <= self._assigned.get(relid, -1):
            return f"resources of {slot_named(wslot)} assigned after those of a higher slot"
        self._assigned[relid] = wslot
        return None

    def _release(self, event: PacketPublished, *_: object) -> Finding:
        relid, wslot = event.relid, slot_of(event)
        if relid not in self._powered:
            return self._finding(relid, f"resources of {slot_named(wslot)} released out of D0")
        if wslot == NO_SLOT:
            return "resources of no slot released: the message is too short to name one"
        lowest = self._released.get(relid)
        if lowest is not None and wslot >= lowest:
            return f"resources of {slot_named(wslot)} released after those of a lower slot"
        self._released[relid] = wslot
        return None

    def _create(self, event: PacketPublished, *_: object) -> Finding:
        if event.relid in self._powered:
            return None
        message = f"an interrupt of {slot_named(slot_of(event))} created out of D0"
        return self._finding(event.relid, message)

    def _crashed(self, *_: object) -> None:
        forget_all(self._powered, self._assigned, self._released)
        self._hibernations = Hibernations()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _fresh,
        ChannelOpened: _fresh,
        FunctionReturned: _returned,
        to_host(MessageType.PCI_BUS_D0ENTRY): _d0_entry,
        to_host(MessageType.PCI_BUS_D0EXIT): _d0_exit,
        to_host(MessageType.PCI_RESOURCES_RELEASED): _release,
        **dict.fromkeys(map(to_host, ASSIGN_MESSAGES), _assign),
        **dict.fromkeys(map(to_host, CREATE_MESSAGES), _create),
    }
