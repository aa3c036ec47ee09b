# SPDX-License-Identifier: MIT
"""An interrupt that a function driver has requested has a mapping while its function is there.

One that the guest has not given back, that is. A mapping that was not to be had for want of memory
or of room in the ring, or because the host was made to fail, leaves an interrupt open without a
message: that is Linux's way (open item O17).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed, MsiComposed, MsiFreed, MsiNotComposed
from guest.kernel.irq_events import InterruptFreed, InterruptRequested
from host.events import (
    ChannelOffered,
    DeviceUnassigned,
    RequestFailed,
    Rescinded,
)
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget, forget_all

REFUSED = "status"  # how the guest's reason begins where the host refused
GONE = ("no such function", "the device has gone", "sending gave -19")
CREATE = "PCI_CREATE_INTERRUPT"

Place = tuple[int, int]  # relid, wslot
Block = tuple[int, int]  # address, first data


class OpenInterruptsMapped(Law):
    """``blocks`` are the mappings of a function with their interrupts; ``lost`` those whose mapping
    was given back while they were open."""

    name = "a requested interrupt has a mapping"
    kind = "lost-interrupt"

    def __init__(self) -> None:
        self._relids: dict[str, int] = {}
        self._gone: set[int] = set()  # relids that have lost a function
        self._failing: set[int] = set()  # relids whose host was made to refuse a mapping
        self._blocks: dict[Place, dict[Block, set[int]]] = {}
        self._counts: dict[tuple[Place, Block], int] = {}
        self._failed: dict[int, tuple[int, str]] = {}  # by irq: relid, why there is no message
        self._open: set[int] = set()
        self._lost: dict[int, int] = {}  # irq to relid

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        relid = self._relids[event.bus] = event.relid
        self._gone.discard(relid)
        self._failing.discard(relid)
        forget(self._blocks, relid)

    def _unassigned(self, event: DeviceUnassigned, *_: object) -> None:
        self._gone.add(self._relids.get(event.bus, 0))

    def _rescinded(self, event: Rescinded, *_: object) -> None:
        self._gone.add(event.relid)

    def _request_failed(self, event: RequestFailed, *_: object) -> None:
        if event.message.startswith(CREATE):
            self._failing.add(self._relids.get(event.bus, 0))

    def _composed(self, event: MsiComposed, *_: object) -> None:
        place, block = (event.relid, event.wslot), (event.address, event.data)
        blocks = self._blocks.setdefault(place, {})
        if event.vector_count:
            blocks[block] = {event.irq}
            self._counts[place, block] = event.vector_count
        else:
            for other in blocks:
                reach = block[1] - other[1]
                if other[0] == block[0] and 0 <= reach < self._counts[place, other]:
                    blocks[other].add(event.irq)
        self._failed.pop(event.irq, None)
        self._lost.pop(event.irq, None)

    def _not_composed(self, event: MsiNotComposed, *_: object) -> None:
        self._failed[event.irq] = event.relid, event.reason

    def _freed(self, event: MsiFreed, *_: object) -> None:
        blocks = self._blocks.get((event.relid, event.wslot), {})
        for irq in blocks.pop((event.address, event.data), ()):
            if irq in self._open:
                self._lost[irq] = event.relid

    def _requested(self, event: InterruptRequested, *_: object) -> Finding:
        self._open.add(event.irq)
        if event.irq in self._failed:
            return self._without_message(event.irq, *self._failed[event.irq])
        return self._mapping_lost()

    def _without_message(self, irq: int, relid: int, reason: str) -> Finding:
        message = f"irq {irq} is open without a message: {reason}"
        if reason in GONE:
            return None
        if not reason.startswith(REFUSED) or relid in self._failing:
            return OpenItem("O17", message)
        return None if relid in self._gone else message

    def _mapping_lost(self) -> Finding:
        for irq, relid in self._lost.items():
            if relid not in self._gone:
                return f"irq {irq} is open, and its mapping was given back"
        return None

    def _closed(self, event: InterruptFreed, *_: object) -> None:
        self._open.discard(event.irq)
        self._lost.pop(event.irq, None)
        self._failed.pop(event.irq, None)

    def _crashed(self, *_: object) -> None:
        forget_all(self._blocks, self._counts, self._failed, self._open, self._lost)

    def end(self, _at_ns: int) -> Finding:
        """An interrupt that lost its mapping has had time to get another."""
        return self._mapping_lost()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        DeviceUnassigned: _unassigned,
        Rescinded: _rescinded,
        RequestFailed: _request_failed,
        MsiComposed: _composed,
        MsiNotComposed: _not_composed,
        MsiFreed: _freed,
        InterruptRequested: _requested,
        InterruptFreed: _closed,
    }
