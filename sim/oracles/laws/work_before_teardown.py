# SPDX-License-Identifier: MIT
"""Once hv_pci_remove() takes the PCI bus down, none of the bus's works does anything.

It bars the callback from queueing and drains the queue first; relations and ejects that are done
later would act on a bus that is half gone.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import (
    ChildAdded,
    ChildRemoved,
    EjectCompleted,
    KernelCrashed,
    RelationsProcessed,
    RootBusRemovalBegan,
)
from host.events import ChannelOffered, ChannelOpened
from sim.oracles.law import Finding, Law, Sees


class WorkBeforeTeardown(Law):
    """``removing`` are the relids of buses that are being taken down, or are gone."""

    name = "no work of a bus runs once its teardown has begun"
    kind = "warning"

    def __init__(self) -> None:
        self._removing: set[int] = set()

    def _fresh(self, event: ChannelOffered | ChannelOpened, *_: object) -> None:
        self._removing.discard(event.relid)

    def _began(self, event: RootBusRemovalBegan, *_: object) -> None:
        self._removing.add(event.relid)

    def _worked(
        self, event: RelationsProcessed | ChildAdded | EjectCompleted | ChildRemoved, *_: object
    ) -> Finding:
        if event.relid not in self._removing:
            return None
        return f"{type(event).__name__} on channel {event.relid}, whose bus is being taken down"

    def _child_removed(self, event: ChildRemoved, *_: object) -> Finding:
        return None if event.why == "bus-exit" else self._worked(event)

    def _crashed(self, *_: object) -> None:
        self._removing.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _fresh,
        ChannelOpened: _fresh,
        RootBusRemovalBegan: _began,
        RelationsProcessed: _worked,
        ChildAdded: _worked,
        EjectCompleted: _worked,
        ChildRemoved: _child_removed,
    }
