# SPDX-License-Identifier: MIT
"""A bus whose host refused D0 is tried once more, after an exit from D0.

A refusal mostly means that a kernel which crashed has left the bus there. Whoever takes the first
one for the last has no device in a crash kernel. Not missed is the second try where the host does
not answer the exit in time, took the offer back, or where something was made to fail in the guest.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guest.events import FunctionReturned, KernelCrashed
from host.events import ChannelOffered, ChannelOpened, PacketRefused, RequestFailed, Rescinded
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.fault_events import FaultInjected
from sim.oracles.law import Finding, Law, Sees, forget_all, to_host

D0_ENTRY: Final = MessageType.PCI_BUS_D0ENTRY.name
WHO_ENTERS: Final = frozenset({"hv_pci_probe", "hv_pci_resume"})


class RetriesD0(Law):
    """``refused`` are the relids whose D0 entry was refused before the guest ever ``left`` D0."""

    name = "a refused D0 entry is tried once more after an exit"
    kind = "lost-device"

    def __init__(self) -> None:
        self._relids: dict[str, int] = {}
        self._refused: set[int] = set()
        self._left: set[int] = set()
        self._excused = False

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relids[event.bus] = event.relid

    def _fresh(self, event: ChannelOpened | Rescinded, *_: object) -> None:
        self._refused.discard(event.relid)
        self._left.discard(event.relid)

    def _leave(self, event: PacketPublished, *_: object) -> None:
        self._refused.discard(event.relid)
        self._left.add(event.relid)

    def _refuse(self, event: PacketRefused | RequestFailed, *_: object) -> None:
        relid = self._relids.get(event.bus, 0)
        if event.message == D0_ENTRY and relid not in self._left:
            self._refused.add(relid)

    def _fault(self, _event: FaultInjected, *_: object) -> None:
        self._excused = True

    def _returned(self, event: FunctionReturned, *_: object) -> Finding:
        if event.function not in WHO_ENTERS or not event.errno or self._excused:
            return None
        if event.relid not in self._refused:
            return None
        return f"the host refused D0 to channel {event.relid}, and the guest did not leave it first"

    def _crashed(self, *_: object) -> None:
        forget_all(self._refused, self._left)
        self._excused = False

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChannelOpened: _fresh,
        Rescinded: _fresh,
        to_host(MessageType.PCI_BUS_D0EXIT): _leave,
        PacketRefused: _refuse,
        RequestFailed: _refuse,
        FaultInjected: _fault,
        FunctionReturned: _returned,
    }
