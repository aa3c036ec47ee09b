# SPDX-License-Identifier: MIT
"""What arm64 does where architectures differ: the GIC aims each interrupt, no hypercall does.

Knows no message on the channel. Whose SPIs they are is in ``spi_domain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.vpci import DELIVERY_MODE_FIXED

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.pci_hyperv.interrupts import Interrupts
    from guest.vmbus.connection import VmbusConnection


class Arm64Arch:
    """arm64: shared peripheral interrupts."""

    delivery_mode = DELIVERY_MODE_FIXED

    def hv_msi_get_int_vector(self, data: IrqData) -> int:
        """The interrupt's SPI, which may be above 255."""
        return data.vector

    async def hv_arch_irq_unmask(self, _driver: Interrupts, _data: IrqData) -> None:
        """Nothing: SPIs go where GICD_IROUTER says, and the hypervisor keeps that."""

    def bridge_coherence(self, vmbus: VmbusConnection) -> bool | None:
        """As VMBus's own node, which is the bridge's ACPI companion (``sysdata.parent``)."""
        return vmbus.coherent_dma
