# SPDX-License-Identifier: MIT
"""The driver's own interrupt domain on arm64: SPIs from a bitmap, on top of the GIC.

The ``hv_pci_vec_*`` functions of pci-hyperv.c. One such domain serves every vPCI bus. Knows no bus
and no message.

Model: it is there from boot. Linux makes it when the driver is loaded (hv_pci_irqchip_init()) and
never takes it away. map_lock is left out, since nothing suspends inside this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOSPC
from typing import TYPE_CHECKING, Final

from guest.kernel.irq_events import SpiFreed, SpisAllocated
from guest.kernel.irq_gic import Gic

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.irq_core import IrqCore

HV_PCI_MSI_SPI_START: Final = 64  # those below are left to what ACPI names
HV_PCI_MSI_SPI_NR: Final = 1020 - HV_PCI_MSI_SPI_START
PRESENT_CPU: Final = 0b1  # cpumask_of(cpumask_first(cpu_present_mask))


class SpiDomain(Gic):
    """``hv_msi_gic_irq_domain``. ``spi_map`` is a bitmap in an int, bit 0 for SPI 64."""

    __slots__ = ("nodes", "spi_map")
    reserves = False
    moves_at_interrupt = False
    settle_us = 0

    def __init__(self, core: IrqCore, nodes: tuple[int, ...]) -> None:
        super().__init__(core)
        self.nodes = nodes
        self.spi_map = 0

    def allocate(self, datas: Sequence[IrqData]) -> int:
        """hv_pci_vec_irq_domain_alloc(): consecutive SPIs; 0 or -ENOSPC.

        Model: that the GIC refuses one is not possible here (hv_pci_vec_irq_gic_domain_alloc()).
        """
        index = self._find_free_region(_order_of(len(datas)))
        if index < 0:
            return -ENOSPC
        first = HV_PCI_MSI_SPI_START + index
        for spi, data in enumerate(datas, first):
            data.vector = spi
            self.mapped[spi] = data
        self._core.kernel.emit(SpisAllocated(datas[0].irq, first, len(datas)))
        return 0

    def _find_free_region(self, order: int) -> int:
        """bitmap_find_free_region(): the lowest free one, aligned to its size; -1 if none is."""
        size = 1 << order
        region = (1 << size) - 1
        for index in range(0, HV_PCI_MSI_SPI_NR - size + 1, size):
            if not self.spi_map >> index & region:
                self.spi_map |= region << index
                return index
        return -1

    def free(self, data: IrqData) -> None:
        """hv_pci_vec_irq_domain_free(), which the core calls for one interrupt at a time.

        So of a region that was no power of two of interrupts the rest is never given back.
        """
        self.spi_map &= ~(1 << data.vector - HV_PCI_MSI_SPI_START)
        del self.mapped[data.vector]
        self._core.kernel.emit(SpiFreed(data.irq, data.vector))

    def activate(self, data: IrqData, *, reserve: bool) -> int:
        """hv_pci_vec_irq_domain_activate(): any CPU will do to compose a message for."""
        del reserve
        data.effective_affinity = PRESENT_CPU
        return 0

    def deactivate(self, _data: IrqData) -> None:
        """The SPI stays."""

    def irq_ack(self, _data: IrqData, _cpu: int) -> None:
        """Not an edge flow's: the GIC acknowledges when it says which one it is."""

    def force_complete_move(self, _data: IrqData, _cpu: int) -> None:
        """A route is in force at once."""

    def can_unplug(self, _cpu: int) -> int:
        """Any CPU takes any number of SPIs."""
        return 0

    def left_behind(self, _cpu: int) -> list[IrqData]:
        """None: what is pending is the distributor's, and goes where the new route says."""
        return []

    def cpu_online(self, _cpu: int) -> None:
        """No CPU has SPIs of its own."""

    cpu_offline = cpu_online

    def lost(self, held: int) -> int:
        """SPIs that are taken in the bitmap and that no interrupt has."""
        return self.spi_map.bit_count() - held


def _order_of(count: int) -> int:
    """get_count_order(): of the smallest power of two that is not less."""
    return (count - 1).bit_length()
