# SPDX-License-Identifier: MIT
"""What stands below the domain of message-signalled interrupts: the architecture's own vectors.

Declares only. One such domain is chosen when a kernel is made: x86's vectors and local APICs
(``irq_apic``), or what stands on arm64's GIC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.irq_core import IrqCore


class ParentDomain(Protocol):
    """Vectors of one kernel: who has them, which CPU they go to, what happens when one comes in.

    ``nodes`` is the CPU mask of each NUMA node. ``reserves`` (GENERIC_IRQ_RESERVATION_MODE) says
    that an interrupt gets its vector only when it is requested; ``moves_at_interrupt``
    (GENERIC_PENDING_IRQ) that one that is in use moves only while it is being handled. What was on
    its way to a CPU when its interrupts moved has arrived after ``settle_us``. Nothing here
    suspends. Results are 0 or a negative errno.
    """

    nodes: tuple[int, ...]
    reserves: bool
    moves_at_interrupt: bool
    settle_us: int

    def allocate(self, datas: Sequence[IrqData]) -> int:
        """irq_domain_ops.alloc of a block of interrupts: all of them or none."""

    def free(self, data: IrqData) -> None:
        """irq_domain_ops.free of one interrupt."""

    def activate(self, data: IrqData, *, reserve: bool) -> int:
        """irq_domain_ops.activate: choose what a composed message should say."""

    def deactivate(self, data: IrqData) -> None:
        """irq_domain_ops.deactivate."""

    def set_affinity(self, data: IrqData, mask: int) -> int:
        """irq_chip.irq_set_affinity; the mask has only CPUs that are online."""

    def irq_mask(self, data: IrqData) -> None:
        """irq_chip.irq_mask, where there is a mask outside the device."""

    def irq_unmask(self, data: IrqData) -> None:
        """irq_chip.irq_unmask, likewise."""

    def irq_ack(self, data: IrqData, cpu: int) -> None:
        """irq_chip.irq_ack, for the edge flow."""

    def retrigger(self, data: IrqData) -> None:
        """irq_chip.irq_retrigger: let it come in once more."""

    def deliver(self, cpu: int, vector: int) -> None:
        """A vector has come in on a CPU; its handler is to run there as a hard interrupt."""

    def force_complete_move(self, data: IrqData, cpu: int) -> None:
        """irq_force_complete_move(): the CPU goes away, so no interrupt will complete a move."""

    def can_unplug(self, cpu: int) -> int:
        """Whether the other CPUs have room for what goes to this one; 0 or -ENOSPC."""

    def left_behind(self, cpu: int) -> list[IrqData]:
        """Interrupts that have come in on a CPU that goes, and that it will not take any more; the
        domain forgets that they were its."""

    def cpu_online(self, cpu: int) -> None:
        """A CPU has come."""

    def cpu_offline(self, cpu: int) -> None:
        """A CPU has gone, and no interrupt goes to it any more."""

    def lost(self, held: int) -> int:
        """Vectors that nobody can give back any more, while ``held`` interrupts are allocated."""


# Makes the domain of a core, for these nodes.
MakeParent = Callable[["IrqCore", tuple[int, ...]], ParentDomain]
