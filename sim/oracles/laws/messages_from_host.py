# SPDX-License-Identifier: MIT
"""Every message that an interrupt gets is one that the host has made for its function.

A vector of a multi-MSI block other than the first derives its message from the block's: same
address, data plus its index. Where the first could not be composed it derives from zeroes (open
item O17). Not judged is whether the host still has the entry: it may take a
function away while its answer is on the way.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed, MsiComposed
from host.events import ChannelOffered, InterruptCreated
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget

Place = tuple[int, int]  # relid, wslot


class MessagesFromHost(Law):
    """``made`` are a function's blocks: (address, first data) to the number of entries."""

    name = "an MSI message comes from the host's answer"
    kind = "wrong-value"

    def __init__(self) -> None:
        self._relids: dict[str, int] = {}
        self._made: dict[Place, dict[tuple[int, int], int]] = {}

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relids[event.bus] = event.relid
        forget(self._made, event.relid)

    def _created(self, event: InterruptCreated, *_: object) -> None:
        place = self._relids.get(event.bus, 0), event.wslot
        self._made.setdefault(place, {})[event.address, event.data] = event.vector_count

    def _composed(self, event: MsiComposed, *_: object) -> Finding:
        made = self._made.get((event.relid, event.wslot), {})
        address, data = event.address, event.data
        if event.vector_count:
            lawful = made.get((address, data)) == event.vector_count
        else:
            lawful = any(a == address and d <= data < d + count for (a, d), count in made.items())
        if lawful:
            return None
        if not event.vector_count and not address:  # the block's own message is a null message
            return OpenItem("O17", f"irq {event.irq} derives its message from one that failed")
        return f"irq {event.irq} got the message {address:#x}/{data:#x}, which the host never made"

    def _crashed(self, *_: object) -> None:
        self._made.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        InterruptCreated: _created,
        MsiComposed: _composed,
    }
