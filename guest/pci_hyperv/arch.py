# SPDX-License-Identifier: MIT
"""What differs by architecture. Declares only: see ``arch_x86`` and ``arch_arm64``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.pci_hyperv.interrupts import Interrupts
    from guest.vmbus.connection import VmbusConnection


class ArchPolicy(Protocol):
    """The driver's ``#ifdef CONFIG_X86`` and ``CONFIG_ARM64`` halves."""

    delivery_mode: int

    def hv_msi_get_int_vector(self, data: IrqData) -> int:
        """The vector that a composed message should carry."""

    async def hv_arch_irq_unmask(self, driver: Interrupts, data: IrqData) -> None:
        """Aim the interrupt at its effective CPUs."""

    def bridge_coherence(self, vmbus: VmbusConnection) -> bool | None:
        """Whether DMA below a new bridge is coherent; None where nobody asks."""
