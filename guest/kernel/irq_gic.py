# SPDX-License-Identifier: MIT
"""arm64's interrupt controller as Linux drives it: drivers/irqchip/irq-gic-v3.c, as far as SPIs go.

Masks and routes are words in the distributor, which the hypervisor keeps. Knows neither who hands
SPIs out nor what an interrupt is for.
"""

from __future__ import annotations

from errno import EINVAL
from typing import TYPE_CHECKING, Final

from guest.kernel.irq_events import InterruptSpurious, SpiRouted
from guest.kernel.irq_fasteoi import handle_fasteoi_irq
from guest.kernel.vector_matrix import first_cpu
from protocol.gic import (
    GICD_BASE,
    GICD_ICACTIVER,
    GICD_ICENABLER,
    GICD_ISENABLER,
    GICD_ISPENDR,
    INTIDS_PER_WORD,
    ROUTE_BYTES,
    SPI_FIRST,
    SPI_LAST,
    affinity_of,
    bit_of,
    route_of,
    word_of,
)

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.irq_core import IrqCore

WORD_BYTES: Final = 4
ALL_BITS: Final = (1 << INTIDS_PER_WORD) - 1


class Gic:
    """The SPIs of one kernel. ``mapped`` is the domain's reverse map, by INTID.

    Model: nobody waits for the distributor to digest a write (GICD_CTLR.RWP), and every SPI is
    edge-triggered from the start (GICD_ICFGR).
    """

    __slots__ = ("_core", "_port", "mapped")

    def __init__(self, core: IrqCore) -> None:
        self._core = core
        self._port = core.kernel.port
        self.mapped: dict[int, IrqData] = {}
        self._gic_dist_config()

    def _gic_dist_config(self) -> None:
        """gic_dist_config(): a kernel begins with every SPI disabled and inactive.

        Model: Linux switches the whole distributor off meanwhile; here SPIs are disabled first.
        gic_dist_init() also routes all to the boot CPU. As long as an SPI is disabled its route
        does not matter, and it has one of its own when it is enabled for good.
        """
        for register in (GICD_ICENABLER, GICD_ICACTIVER):
            for intid in range(SPI_FIRST, SPI_LAST + 1, INTIDS_PER_WORD):
                self._write(word_of(register, intid), WORD_BYTES, ALL_BITS)

    def irq_mask(self, data: IrqData) -> None:
        """gic_mask_irq()."""
        self._poke(GICD_ICENABLER, data.vector)

    def irq_unmask(self, data: IrqData) -> None:
        """gic_unmask_irq(): what came while it was masked comes in now."""
        self._poke(GICD_ISENABLER, data.vector)

    def retrigger(self, data: IrqData) -> None:
        """gic_retrigger()."""
        self._poke(GICD_ISPENDR, data.vector)

    def set_affinity(self, data: IrqData, mask: int) -> int:
        """gic_set_affinity(): to the first CPU of the mask; disabled while its route changes."""
        cpu = first_cpu(mask)
        if cpu < 0:
            return -EINVAL
        enabled = self._peek(GICD_ISENABLER, data.vector)
        if enabled:
            self.irq_mask(data)
        vp = self._core.kernel.cpus[cpu].vp
        self._write(route_of(data.vector), ROUTE_BYTES, affinity_of(vp))
        data.effective_affinity = 1 << cpu
        self._core.kernel.emit(SpiRouted(data.irq, data.vector, cpu, vp))
        if enabled:
            self.irq_unmask(data)
        return 0

    def _peek(self, register: int, intid: int) -> bool:
        """gic_peek_irq()."""
        word = self._port.mmio_read(GICD_BASE + word_of(register, intid), WORD_BYTES)
        return bool(word & bit_of(intid))

    def _poke(self, register: int, intid: int) -> None:
        """gic_poke_irq()."""
        self._write(word_of(register, intid), WORD_BYTES, bit_of(intid))

    def _write(self, offset: int, size: int, value: int) -> None:
        held_ns = self._port.mmio_write(GICD_BASE + offset, size, value)
        assert not held_ns, "a distributor holds nobody up"

    def deliver(self, cpu: int, intid: int) -> None:
        """The line of a CPU was raised for an SPI; one that is offline does not look."""
        if not self._core.kernel.cpus[cpu].online:
            return
        self._core.kernel.raise_interrupt(cpu, f"SPI {intid}@{cpu}", self._gic_handle_irq(cpu))

    async def _gic_handle_irq(self, cpu: int) -> None:
        """gic_handle_irq(): ask which one it is, and run its flow handler."""
        kernel = self._core.kernel
        intid = self._port.read_iar(kernel.cpus[cpu].vp)
        if intid > SPI_LAST:
            return
        data = self.mapped.get(intid)
        if data is None:
            kernel.emit(InterruptSpurious(cpu, intid))
            kernel.log("warn", f"Unexpected interrupt (irqnr {intid})")
            self._port.write_eoir(intid)
            return
        data.readers += 1
        await handle_fasteoi_irq(self._core, data, cpu, self._port.write_eoir)
        await self._core.release(data)
