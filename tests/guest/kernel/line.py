# SPDX-License-Identifier: MIT
"""A device's MSI-X interrupts, and a handler that notes where it ran: on any machine."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.irq import IRQ_HANDLED, MANAGED_IRQ_SHUTDOWN_VECTOR, IrqData
from guest.kernel.irq_manage import request_irq, set_affinity
from guest.pci_core.enable import pci_enable_device
from guest.pci_core.msi import PCI_IRQ_AFFINITY, PCI_IRQ_MSIX, pci_alloc_irq_vectors
from tests.guest.pci_core.fakes import HIGH_WINDOW, Rig, nvme

IRQ = 24  # of the first vector
SHUTDOWN = MANAGED_IRQ_SHUTDOWN_VECTOR


class DeviceLine:
    """The one device of ``rig``, enabled and with its vectors allocated."""

    def __init__(self, rig: Rig, *, managed: bool, vectors: int) -> None:
        self.rig = rig
        rig.ops.functions[0] = nvme()
        rig.bring_up()
        self.dev = rig.pci.devices[(0x1234, 0, 0)]
        self.irqs = rig.pci.irqs
        self.handled: list[int] = []  # the CPU of each run
        self.busy_us = 0
        for index in range(9):
            rig.port.memory[HIGH_WINDOW + 0x2000 + 16 * index + 12] = 1
        flags = PCI_IRQ_MSIX | (PCI_IRQ_AFFINITY if managed else 0)
        rig.run(pci_enable_device(self.dev))
        rig.run(pci_alloc_irq_vectors(self.irqs, self.dev, vectors, vectors, flags))

    @property
    def data(self) -> IrqData:
        return self.irqs.descs[IRQ]

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


class Line(DeviceLine):
    """One MSI-X interrupt of a device on x86."""

    def __init__(self, cpus: int = 2, *, managed: bool = False, vectors: int = 1) -> None:
        super().__init__(Rig(cpus), managed=managed, vectors=vectors)

    def fire(self) -> None:
        """The device interrupts where its message says."""
        self.irqs.deliver_vector(self.data.apic.cpu, self.data.apic.vector)
        self.rig.engine.run()

    def move(self, mask: int) -> int:
        ret = self.rig.run(set_affinity(self.irqs, IRQ, mask))
        assert isinstance(ret, int)
        return ret
