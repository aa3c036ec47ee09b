# SPDX-License-Identifier: MIT
"""One arm64 device's interrupts on a distributor, and a handler that notes where it ran."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.irq import IRQ_HANDLED, IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.kernel.irq_manage import request_irq, set_affinity
from guest.pci_core.enable import pci_enable_device
from guest.pci_core.msi import PCI_IRQ_AFFINITY, PCI_IRQ_MSIX, pci_alloc_irq_vectors
from guest.pci_hyperv.spi_domain import SpiDomain
from host.gic import Distributor
from protocol.gic import GICD_BASE, GICD_BYTES
from protocol.ids import Vector, VpIndex
from sim.choices import Chooser
from tests.guest.pci_core.fakes import HIGH_WINDOW, FakeMsi, FakePort, Rig, nvme

IRQ = 24
SPI = 64


class GicPort(FakePort):
    """HostPort with a distributor where guests look for it; ``written`` has its offsets."""

    def __init__(self, gic: Distributor) -> None:
        super().__init__()
        self.gic = gic
        self.written: list[int] = []

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


class GicLine:
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
        self.rig = Rig(cpus, port=self.port, parent=SpiDomain, chooser=chooser)
        msi = SpiMsi()
        msi.rig = self.rig
        self.msi = self.rig.bridge.msi = msi
        self.rig.ops.functions[0] = nvme()
        self.rig.bring_up()
        self.dev = self.rig.pci.devices[(0x1234, 0, 0)]
        self.irqs = self.rig.pci.irqs
        self.handled: list[int] = []  # the CPU of each run
        self.busy_us = 0
        self.raised = 0  # how often a CPU's line was
        for index in range(9):
            self.port.memory[HIGH_WINDOW + 0x2000 + 16 * index + 12] = 1
        flags = PCI_IRQ_MSIX | (PCI_IRQ_AFFINITY if managed else 0)
        self.rig.run(pci_enable_device(self.dev))
        self.rig.run(pci_alloc_irq_vectors(self.irqs, self.dev, vectors, vectors, flags))

    def _raise(self, vp: VpIndex, vector: Vector) -> None:
        self.raised += 1
        self.irqs.deliver_vector(vp, vector)

    @property
    def data(self) -> IrqData:
        return self.irqs.descs[IRQ]

    @property
    def domain(self) -> SpiDomain:
        assert isinstance(self.irqs.vectors, SpiDomain)
        return self.irqs.vectors

    async def handler(self, irq: int, dev_id: object) -> int:
        assert irq >= IRQ
        assert dev_id is self
        self.handled.append(self.rig.kernel.current_cpu().index)
        if self.busy_us:
            await ops.udelay(self.rig.kernel, self.busy_us)
        return IRQ_HANDLED

    def request(self, irq: int = IRQ) -> int:
        ret = self.rig.run(request_irq(self.irqs, irq, self.handler, "test", self))
        assert isinstance(ret, int)
        return ret

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
