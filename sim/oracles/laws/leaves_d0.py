# SPDX-License-Identifier: MIT
"""A probe that fails takes its bus out of D0, if the host has let it in.

Else the host holds the bus's resources for a driver that has gone, and refuses D0 to the next one.
Nothing is owed after a rescind. A guest that finds no room in the ring for what comes before the
exit does not exit (open item O14).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import FunctionReturned, KernelCrashed
from host.events import ChannelOffered, D0Entered, Rescinded
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.fault_events import FaultInjected
from sim.faults import RING_FULL
from sim.oracles.law import Finding, Law, OpenItem, Sees, to_host


class LeavesD0(Law):
    """``there`` are the relids whose bus the host has in D0 and was not asked to take out of it."""

    name = "a probe that fails takes its bus out of D0"
    kind = "leak"

    def __init__(self) -> None:
        self._relids: dict[str, int] = {}
        self._there: set[int] = set()
        self._ring_was_full = False

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relids[event.bus] = event.relid
        self._there.discard(event.relid)

    def _entered(self, event: D0Entered, *_: object) -> None:
        self._there.add(self._relids.get(event.bus, 0))

    def _over(self, event: Rescinded | PacketPublished, *_: object) -> None:
        self._there.discard(event.relid)

    def _fault(self, event: FaultInjected, *_: object) -> None:
        self._ring_was_full |= event.fault == RING_FULL

    def _returned(self, event: FunctionReturned, *_: object) -> Finding:
        if event.function != "hv_pci_probe" or not event.errno or event.relid not in self._there:
            return None
        message = f"the probe of channel {event.relid} failed and left the bus in D0"
        return OpenItem("O14", message) if self._ring_was_full else message

    def _crashed(self, *_: object) -> None:
        self._there.clear()
        self._ring_was_full = False

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        D0Entered: _entered,
        Rescinded: _over,
        to_host(MessageType.PCI_BUS_D0EXIT): _over,
        FaultInjected: _fault,
        FunctionReturned: _returned,
    }
