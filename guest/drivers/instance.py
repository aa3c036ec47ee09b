# SPDX-License-Identifier: MIT
"""A function driver's private data for one device: lives from probe to remove.

Handlers and callbacks that come too late find a dead object, as they would in a kernel.
"""

from __future__ import annotations

from guest.drivers.steps import DriverOptions
from guest.kernel.cpu_hotplug import CpuhpStep
from guest.kernel.irq import IRQ_HANDLED
from guest.kernel.memory import Allocated
from guest.kernel.sync import Completion
from guest.kernel.work import WorkQueue
from guest.pci_core.types import PciDev


class FunctionInstance(Allocated):
    """What ``pci_get_drvdata()`` returns. ``queues`` is the number of vectors in use.

    ``commands`` counts those sent and not completed, by their queue's interrupt; the queues of the
    ``inactive`` ones take none. ``under_way`` counts users inside ``submit``; once ``stopping`` is
    set no more are let in. ``blocks`` holds what was last read of each
    configuration block.
    """

    __slots__ = (
        "blocks",
        "commands",
        "cpuhp",
        "dev",
        "done",
        "idle",
        "inactive",
        "irqs",
        "options",
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
        self.commands: dict[int, int] = {}
        self.inactive: set[int] = set()
        self.cpuhp: CpuhpStep | None = None  # who is told of CPUs, if the vectors are managed
        self.under_way = 0
        self.stopping = False
        self.blocks: dict[int, bytes] = {}
        self.workqueue: WorkQueue | None = None


async def handle_interrupt(irq: int, dev_id: object) -> int:
    """The interrupt handler of every queue: one of its commands has completed, if any was sent."""
    assert isinstance(dev_id, FunctionInstance)
    sent = dev_id.commands.get(irq)
    if sent:
        dev_id.commands[irq] = sent - 1
        await dev_id.done.complete()
    return IRQ_HANDLED
