# SPDX-License-Identifier: MIT
"""The PCI core under many orders of events: nothing is left and nothing breaks in any of them."""

from __future__ import annotations

import pytest

from guest.drivers.interpreter import StepDriver
from guest.drivers.registry import DRIVERS
from guest.drivers.steps import DriverOptions
from guest.kernel import ops
from guest.kernel.irq_manage import set_affinity
from guest.pci_core.events import DriverBound, DriverUnbound
from protocol.ids import Devfn
from sim.choices import Chooser, RandomChooser
from tests.guest.pci_core.fakes import HIGH_WINDOW, Rig, nvme

TABLE = 0x2000
SEEDS = range(60)


class Stress:
    """A bus with two NVMe devices whose doorbells interrupt, an administrator and an irqbalance."""

    def __init__(self, chooser: Chooser) -> None:
        self.rig = Rig(chooser=chooser)
        for devfn in (0, 8):
            self.rig.ops.functions[devfn] = nvme()
        self.rig.port.mmio_read = self.read  # type: ignore[method-assign]  # a fake's seam
        self.rig.port.mmio_write = self.write  # type: ignore[method-assign]  # a fake's seam
        options = DriverOptions(vectors=2, spread="none")
        irqs = self.rig.pci.irqs
        self.rig.pci.register_driver(StepDriver(DRIVERS["nvme"], irqs, lambda _: options))

    def read(self, gpa: int, size: int) -> int:
        reset = 1 if gpa & 0x3FF0 >= TABLE and gpa & 0xF == 12 else 0
        return self.rig.port.memory.get(gpa, reset) & (1 << 8 * size) - 1

    def write(self, gpa: int, size: int, value: int) -> int:
        memory = self.rig.port.memory
        memory[gpa] = value & (1 << 8 * size) - 1
        bar, offset = gpa & ~0x3FFF, gpa & 0x3FFF
        if 0x1000 <= offset < TABLE:
            entry = bar + TABLE + 2 * (offset - 0x1000)
            cpu, vector = (memory[entry] >> 12 & 0xFF).bit_length() - 1, memory[entry + 8]
            deliver = self.rig.pci.irqs.deliver_vector
            self.rig.engine.later((1000, 1000), "device", lambda: deliver(cpu, vector))
        return 0

    async def life(self) -> None:
        pci = self.rig.pci
        assert await pci.scan_root_bus_bridge(self.rig.bridge) == 0
        bus = self.rig.bridge.bus
        assert bus is not None
        await pci.lock_rescan_remove()
        await pci.bus_assign_resources(bus)
        slots = [await pci.create_slot(bus, number, "1") for number in (0, 0, 1)]
        await pci.bus_add_devices(bus)
        await pci.unlock_rescan_remove()
        await ops.usleep(self.rig.kernel, 50)
        await pci.lock_rescan_remove()
        await pci.stop_root_bus(bus)
        for slot in slots:
            assert slot is not None
            await pci.destroy_slot(slot)
        await pci.remove_root_bus(bus)
        await pci.unlock_rescan_remove()

    async def balance(self) -> None:
        irqs = self.rig.pci.irqs
        for turn in range(12):
            for irq in list(irqs.descs):
                await set_affinity(irqs, irq, 1 << turn % 2)
            await ops.usleep(self.rig.kernel, 5)

    async def administrator(self) -> None:
        pci = self.rig.pci
        for _ in range(3):
            dev = pci.get_domain_bus_and_slot(0x1234, 0, Devfn(0))
            if dev is not None:
                await pci.unbind(dev)
                await pci.dev_put(dev)
            await ops.usleep(self.rig.kernel, 20)

    async def ejector(self) -> None:
        pci = self.rig.pci
        await ops.usleep(self.rig.kernel, 10)
        dev = pci.get_domain_bus_and_slot(0x1234, 0, Devfn(8))
        if dev is not None:
            await pci.lock_rescan_remove()
            await pci.stop_and_remove_bus_device(dev)
            await pci.dev_put(dev)
            await pci.unlock_rescan_remove()

    def run(self, *, fine: bool) -> None:
        kernel = self.rig.kernel
        kernel.fine = fine
        for cpu, body in enumerate((self.life(), self.balance())):
            kernel.spawn_thread(f"actor {cpu}", body, cpu)
        kernel.spawn_thread("administrator", self.administrator(), 1)
        kernel.spawn_thread("ejector", self.ejector(), 0)
        self.rig.engine.run()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_in_any_order(seed: int) -> None:
    stress = Stress(RandomChooser(seed))
    stress.run(fine=bool(seed % 2))
    rig = stress.rig
    assert rig.engine.waiting() == []
    assert rig.kernel.heap.census() == {}
    assert rig.pci.irqs.descs == {}
    matrix = rig.vectors.matrix
    assert (matrix.total_allocated, matrix.global_reserved) == (0, 0)
    assert all(not window.children for window in rig.windows)
    assert rig.pci.slot_names == {}
    assert len(rig.events_of(DriverBound)) == len(rig.events_of(DriverUnbound)) == 2
    assert rig.port.memory[HIGH_WINDOW + TABLE + 8] == 0  # the last message was taken back


class Abandoning:
    """Natural order for so many choices, then an exception: the schedule is given up there."""

    def __init__(self, after: int) -> None:
        self.left = after

    def choose(self, options: object) -> int:
        assert options
        self.left -= 1
        if self.left < 0:
            raise Abandoned
        return 0


class Abandoned(Exception):
    pass


def test_a_schedule_can_be_given_up_at_any_point() -> None:
    after = 0
    while True:
        stress = Stress(Abandoning(after))
        try:
            stress.run(fine=True)
        except Abandoned:
            after += 7
            continue
        break
    assert after > 100
