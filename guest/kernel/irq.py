# SPDX-License-Identifier: MIT
"""Interrupt descriptors and what a handler looks like. Data only; see ``irq_core`` for behaviour.

Model: Linux keeps an irq_desc, a chain of irq_data (MSI on top of the x86 vector or of the GIC's
SPI) and the vector's apic_chip_data; here one record holds all three, and ``apic`` lies idle where
there is no such thing.
CPU masks are ints, bit n for CPU n.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from guest.kernel.cpu import NUMA_NO_NODE
from guest.kernel.memory import Allocated
from guest.kernel.sync import Mutex, SpinLock

if TYPE_CHECKING:
    from guest.kernel.irq_chip import MsiController
    from guest.kernel.kernel import Kernel

IRQ_NONE = 0
IRQ_HANDLED = 1
MANAGED_IRQ_SHUTDOWN_VECTOR = 0xEF  # target of an interrupt that has no real vector (yet)

IrqHandler = Callable[[int, object], Awaitable[int]]  # (irq, dev_id) -> IRQ_NONE | IRQ_HANDLED


class IrqAffinity(NamedTuple):
    """struct irq_affinity_desc."""

    mask: int
    managed: bool


class IrqAction(NamedTuple):
    """struct irqaction."""

    handler: IrqHandler
    name: str
    dev_id: object


class ApicData:
    """struct apic_chip_data: which vector on which CPU, and which one it is moving away from."""

    __slots__ = (
        "can_reserve",
        "cleanup_due_ns",
        "cpu",
        "has_reserved",
        "is_managed",
        "move_in_progress",
        "prev_cpu",
        "prev_vector",
        "vector",
    )

    def __init__(self) -> None:
        self.vector = 0
        self.cpu = 0
        self.prev_vector = 0
        self.prev_cpu = 0
        self.move_in_progress = False
        self.is_managed = False
        self.can_reserve = False
        self.has_reserved = False
        self.cleanup_due_ns: int | None = None  # the old vector is freed then


class IrqData(Allocated):
    """struct irq_desc with its irq_data.

    ``vector`` is what a composed message should carry: on x86 irqd_cfg()->vector, which is
    ``MANAGED_IRQ_SHUTDOWN_VECTOR`` while no real vector is held; on arm64 the SPI.
    ``effective_affinity`` is the CPU it is targeted at. ``chip_data`` belongs to the MSI
    controller's driver, ``msi_desc`` to whoever allocated the interrupt for a device. ``depth``
    counts disables; ``count`` handled interrupts by CPU.
    """

    __slots__ = (
        "action",
        "activated",
        "affinity",
        "affinity_set",
        "apic",
        "can_reserve",
        "chip",
        "chip_data",
        "count",
        "depth",
        "disabled",
        "effective_affinity",
        "freed",
        "hwirq",
        "in_progress",
        "irq",
        "lock",
        "managed",
        "managed_shutdown",
        "masked",
        "move_pending",
        "msi_desc",
        "node",
        "pending",
        "pending_mask",
        "readers",
        "request_mutex",
        "started",
        "suspended",
        "vector",
    )
    EMBEDDED = ("lock", "request_mutex")

    def __init__(self, kernel: Kernel, irq: int, hwirq: int, chip: MsiController) -> None:
        self.irq = irq
        self.hwirq = hwirq
        self.chip = chip
        self.chip_data: object = None
        self.msi_desc: object = None
        self.apic = ApicData()
        self.vector = 0
        self.affinity = 0
        self.effective_affinity = 0
        self.node = NUMA_NO_NODE
        self.lock = SpinLock(kernel, "irq_desc", fine=True)
        self.request_mutex = Mutex(kernel, "irq_request")
        self.action: IrqAction | None = None
        self.depth = 1
        self.disabled = True
        self.masked = True
        self.started = False
        self.activated = False
        self.in_progress = False
        self.pending = False
        self.managed = False
        self.managed_shutdown = False
        self.suspended = False
        self.can_reserve = False
        self.affinity_set = False
        self.move_pending = False
        self.pending_mask = 0
        self.count: dict[int, int] = {}
        self.readers = 0  # interrupts in flight that have looked the descriptor up
        self.freed = False
