# SPDX-License-Identifier: MIT
"""One arm64 device's interrupts on a distributor, and a handler that notes where it ran."""

from __future__ import annotations

from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.kernel.irq_manage import set_affinity
from guest.pci_hyperv.spi_domain import SpiDomain
from host.gic import Distributor
from protocol.gic import GICD_BASE, GICD_BYTES
from protocol.ids import Vector, VpIndex
from sim.choices import Chooser
from tests.guest.kernel.line import IRQ, DeviceLine
from tests.guest.pci_core.fakes import FakeMsi, FakePort, Rig

SPI = 64


class GicPort(FakePort):
    """HostPort with a distributor where guests look for it; ``written`` has its offsets."""

    def __init__(self, gic: Distributor) -> None:
        super().__init__()
        self.gic = gic
        self.written: list[int] = []

    def take_read_hold(self) -> int:
        return 0

    def mmio_read(self, gpa: int, size: int) -> int:
        offset = gpa - GICD_BASE
        if 0 <= offset < GICD_BYTES:
            return self.gic.read(offset, size)
        return super().mmio_read(gpa, size)

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        offset = gpa - GICD_BASE
        if 0 <= offset < GICD_BYTES:
            self.written.append(offset)
            return self.gic.write(offset, size, value)
        return super().mmio_write(gpa, size, value)

    def read_iar(self, vp: VpIndex) -> int:
        return self.gic.acknowledge(vp)

    def write_eoir(self, intid: int) -> None:
        self.gic.end(intid)


class SpiMsi(FakeMsi):
    """The message names the SPI; masks go on to the domain below."""

    rig: Rig

    async def compose_msi_msg(self, data: IrqData) -> MsiMsg:
        self._note("compose", data)
        return MsiMsg(0, 0, data.vector)

    async def irq_mask(self, data: IrqData) -> None:
        await super().irq_mask(data)
        self.rig.pci.irqs.vectors.irq_mask(data)

    async def irq_unmask(self, data: IrqData) -> None:
        self.rig.pci.irqs.vectors.irq_unmask(data)
        await super().irq_unmask(data)


class GicLine(DeviceLine):
    """MSI-X interrupts of a device on CPUs whose VPs are numbered 0, 1 and so on."""

    def __init__(
        self,
        cpus: int = 2,
        *,
        managed: bool = False,
        vectors: int = 1,
        chooser: Chooser | None = None,
    ) -> None:
        self.gic = Distributor([VpIndex(vp) for vp in range(cpus)], self._raise)
        self.port = GicPort(self.gic)
        rig = Rig(cpus, port=self.port, parent=SpiDomain, chooser=chooser)
        self.msi = rig.bridge.msi = SpiMsi()
        self.msi.rig = rig
        self.raised = 0  # how often a CPU's line was
        super().__init__(rig, managed=managed, vectors=vectors)

    def _raise(self, vp: VpIndex, vector: Vector) -> None:
        self.raised += 1
        self.irqs.deliver_vector(vp, vector)

    @property
    def domain(self) -> SpiDomain:
        assert isinstance(self.irqs.vectors, SpiDomain)
        return self.irqs.vectors

    def come(self, spi: int = SPI) -> None:
        """The device's message has come in at the distributor."""
        self.gic.arrive(VpIndex(0), Vector(spi))

    def fire(self, spi: int = SPI) -> None:
        """The same, and everybody does what comes of it."""
        self.come(spi)
        self.rig.engine.run()

    def move(self, mask: int, irq: int = IRQ) -> int:
        ret = self.rig.run(set_affinity(self.irqs, irq, mask))
        assert isinstance(ret, int)
        return ret
