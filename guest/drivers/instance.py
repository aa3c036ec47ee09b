# SPDX-License-Identifier: MIT
"""A function driver's private data for one device: lives from probe to remove.

Handlers and callbacks that come too late find a dead object, as they would in a kernel.
"""

from __future__ import annotations

from guest.drivers.steps import DriverOptions
from guest.kernel.irq import IRQ_HANDLED
from guest.kernel.memory import Allocated
from guest.kernel.sync import Completion
from guest.kernel.work import WorkQueue
from guest.pci_core.types import PciDev


class FunctionInstance(Allocated):
    """What ``pci_get_drvdata()`` returns. ``queues`` is the number of vectors in use.

    ``outstanding`` counts commands sent and not completed, ``under_way`` users inside ``submit``;
    once ``stopping`` is set no more are let in. ``blocks`` holds what was last read of each
    configuration block.
    """

    __slots__ = (
        "blocks",
        "dev",
        "done",
        "idle",
        "irqs",
        "options",
        "outstanding",
        "queues",
        "stopping",
        "under_way",
        "workqueue",
    )
    EMBEDDED = ("done", "idle")

    def __init__(self, dev: PciDev, options: DriverOptions) -> None:
        self.dev = dev
        self.options = options
        self.queues = 0
        self.irqs: list[int] = []  # requested, in that order
        self.done = Completion(dev.kernel, "command")
        self.idle = Completion(dev.kernel, "io idle")
        self.outstanding = 0
        self.under_way = 0
        self.stopping = False
        self.blocks: dict[int, bytes] = {}
        self.workqueue: WorkQueue | None = None


async def handle_interrupt(_irq: int, dev_id: object) -> int:
    """The interrupt handler of every queue: one command has completed, if any was sent."""
    assert isinstance(dev_id, FunctionInstance)
    if dev_id.outstanding:
        dev_id.outstanding -= 1
        await dev_id.done.complete()
    return IRQ_HANDLED
