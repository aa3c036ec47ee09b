# SPDX-License-Identifier: MIT
"""Function drivers as step tables, over a device that answers doorbells with interrupts."""

from __future__ import annotations

from errno import EIO, ENODEV

import msgspec
import pytest

from guest.drivers.interpreter import StepDriver, instance_of, submit
from guest.drivers.operations import OPERATIONS
from guest.drivers.registry import DRIVERS, driver_for
from guest.drivers.steps import DOORBELL_OFFSET, DOORBELL_STRIDE, UNDO, DriverOptions, Step
from guest.kernel import ops
from guest.kernel.irq_events import InterruptHandled
from guest.pci_core import sysfs
from guest.pci_core.events import (
    DriverBound,
    DriverProbeFailed,
    DriverUnbound,
    PciDevRemoved,
)
from guest.pci_core.regs import ALL_ONES
from guest.pci_core.types import BlockInvalidate, PciDev
from tests.guest.pci_core.fakes import HIGH_WINDOW, RegisterFile, Rig, nvme

TABLE = 0x2000
LATENCY_NS = 10_000
TIMEOUT_MS = 1000


class Blocks:
    """BlockOps that remembers."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.registered: tuple[object, BlockInvalidate] | None = None

    async def read_block(self, dev: PciDev, block_id: int, length: int) -> tuple[int, bytes]:
        assert dev.name
        self.log.append(("read", block_id))
        return 0, bytes([block_id]) * length

    async def write_block(self, dev: PciDev, block_id: int, data: bytes) -> int:
        assert dev.name
        self.log.append(("write", int.from_bytes(data, "little")))
        return -EIO if block_id == 1 else 0

    async def reg_blk_invalidate(
        self, dev: PciDev, context: object, block_invalidate: BlockInvalidate | None
    ) -> int:
        assert dev.name
        self.registered = (context, block_invalidate) if block_invalidate else None
        return 0


class World:
    """A rig with one device whose doorbells work, and a driver for it."""

    def __init__(
        self,
        driver: str = "nvme",
        function: RegisterFile | None = None,
        options: DriverOptions | None = None,
        cpus: int = 2,
    ) -> None:
        self.rig = Rig(cpus)
        self.silent = False
        self.blocks = Blocks()
        self.rig.pci.block_ops = self.blocks
        self.rig.ops.functions[0] = function or nvme()
        memory = self.rig.port.memory
        memory[HIGH_WINDOW] = 0x0028_0030
        memory.update({HIGH_WINDOW + TABLE + 16 * index + 12: 1 for index in range(9)})
        self.rig.port.mmio_write = self._write  # type: ignore[method-assign]  # a fake's seam
        claims = (lambda _: options) if options else None
        self.driver = StepDriver(DRIVERS[driver], self.rig.pci.irqs, claims)
        self.rig.pci.register_driver(self.driver)
        self.rig.bring_up()

    @property
    def dev(self) -> PciDev:
        return self.rig.pci.devices[(0x1234, 0, 0)]

    def _write(self, gpa: int, size: int, value: int) -> int:
        assert size == 4
        memory = self.rig.port.memory
        memory[gpa] = value
        self.rig.port.log.append(("w", gpa, value))
        offset = gpa - HIGH_WINDOW
        if DOORBELL_OFFSET <= offset < TABLE and not self.silent:
            entry = HIGH_WINDOW + TABLE + 16 * ((offset - DOORBELL_OFFSET) // DOORBELL_STRIDE)
            assert memory[entry + 12] == 0, "the doorbell of a masked queue was rung"
            cpu = (memory[entry] >> 12 & 0xFF).bit_length() - 1
            vector = memory[entry + 8]
            self.rig.engine.later(
                (LATENCY_NS, LATENCY_NS),
                "device",
                lambda: self.rig.pci.irqs.deliver_vector(cpu, vector),
            )
        return 0

    def doorbells(self) -> list[int]:
        return [
            (gpa - HIGH_WINDOW - DOORBELL_OFFSET) // DOORBELL_STRIDE
            for kind, gpa, _ in self.rig.port.log
            if kind == "w" and DOORBELL_OFFSET <= gpa - HIGH_WINDOW < TABLE
        ]


def test_nvme_has_one_queue_per_cpu_and_a_command_on_each() -> None:
    world = World(cpus=4)
    assert world.doorbells() == [0, 1, 2, 3]
    handled = [event.cpu for event in world.rig.events_of(InterruptHandled)]
    assert handled == [0, 1, 2, 3]
    assert world.rig.events_of(DriverBound) == [DriverBound("1234:00:00.0", "nvme")]
    (dev,) = sysfs.devices(world.rig.pci)
    assert dev.driver == "nvme"
    assert dev.msi_irqs == tuple((irq, "msix") for irq in range(24, 28))
    assert dev.enable == 1


def test_options_set_vectors_rounds_and_spread() -> None:
    options = DriverOptions(vectors=2, rounds=4, spread="none")
    world = World(options=options, cpus=4)
    assert world.doorbells() == [0, 1] * 4
    assert len(world.rig.events_of(InterruptHandled)) == 8
    assert not any(data.managed for data in world.rig.pci.irqs.descs.values())


def test_a_driver_may_request_its_vectors_in_parts_and_in_another_order() -> None:
    world = World(cpus=4)
    instance = instance_of(world.dev)
    requested: list[list[int]] = []

    async def request(*parts: dict[str, int | str]) -> None:
        await OPERATIONS["free-irqs"](world.rig.pci.irqs, instance, {})
        for part in parts:
            assert await OPERATIONS["request-irqs"](world.rig.pci.irqs, instance, part) == 0
            requested.append(list(instance.irqs))

    world.rig.run(request({"from": 2}, {"to": 1}, {"from": 1, "to": 2}, {"from": 4, "to": 9}))
    assert requested == [[26, 27], [26, 27, 24], [26, 27, 24, 25], [26, 27, 24, 25]]


def test_a_slow_remove_takes_its_time_and_then_leaves_nothing() -> None:
    world = World(options=DriverOptions(remove_ms=70_000))
    before = world.rig.kernel.now_ns()
    world.rig.tear_down()
    assert world.rig.kernel.now_ns() - before == 70_000 * 1_000_000
    assert world.rig.kernel.heap.census() == {}
    order = [type(event) for event in world.rig.events[-2:]]
    assert order == [DriverUnbound, PciDevRemoved]
    assert world.rig.ops.functions[0].get(0x04, 2) & 0x0004 == 0  # no bus master any more


def test_a_dead_device_fails_the_probe_and_everything_is_taken_back() -> None:
    world = World()
    world.rig.run(world.rig.pci.unbind(world.dev))
    del world.rig.port.memory[HIGH_WINDOW]  # reads as all ones now
    assert world.rig.run(world.rig.pci.bind(world.dev, "nvme")) == -ENODEV
    failed = DriverProbeFailed("1234:00:00.0", "nvme", -ENODEV)
    assert world.rig.events_of(DriverProbeFailed) == [failed]
    assert world.dev.enable_cnt == 0
    assert world.rig.kernel.heap.census() == {"PciBus": 1, "PciDev": 1}


def test_a_device_that_never_answers_fails_the_probe_after_a_minute() -> None:
    world = World()
    world.rig.run(world.rig.pci.unbind(world.dev))
    world.silent = True
    before = world.rig.kernel.now_ns()
    assert world.rig.run(world.rig.pci.bind(world.dev, "nvme")) == -EIO
    assert world.rig.kernel.now_ns() - before == 60 * 10**9
    assert world.rig.kernel.heap.census() == {"PciBus": 1, "PciDev": 1}
    assert not world.dev.msix_enabled


def test_unbind_and_bind_again() -> None:
    world = World()
    world.rig.run(world.rig.pci.unbind(world.dev))
    world.rig.run(world.rig.pci.unbind(world.dev))
    assert world.rig.events_of(DriverUnbound) == [DriverUnbound("1234:00:00.0", "nvme")]
    assert world.rig.run(world.rig.pci.bind(world.dev, "nvme")) == 0
    assert world.rig.run(world.rig.pci.bind(world.dev, "nvme")) == -ENODEV
    assert world.doorbells() == [0, 1, 0, 1]


def test_a_device_that_was_scanned_but_not_added_cannot_be_bound() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.pci.register_driver(StepDriver(DRIVERS["nvme"], rig.pci.irqs))
    rig.run(rig.pci.scan_root_bus_bridge(rig.bridge))
    dev = rig.pci.devices[(0x1234, 0, 0)]
    assert rig.run(rig.pci.bind(dev, "nvme")) == -ENODEV
    assert rig.events_of(DriverProbeFailed) == []


def test_remove_waits_for_commands_under_way_and_lets_no_more_in() -> None:
    world = World()
    answers: list[int] = []

    async def user() -> None:
        answers.append(await submit(world.dev, 1, TIMEOUT_MS))

    async def late_user() -> None:
        await ops.usleep(world.rig.kernel, 5)
        answers.append(await submit(world.dev, 1, TIMEOUT_MS))

    async def remover() -> None:
        await ops.usleep(world.rig.kernel, 2)
        await world.rig.pci.unbind(world.dev)
        answers.append(99)

    world.rig.run(user(), late_user(), remover())
    assert answers == [-ENODEV, 0, 99]


def test_a_spurious_interrupt_completes_nothing() -> None:
    world = World()
    world.rig.pci.irqs.deliver_vector(0, 32)
    world.rig.engine.run()
    assert instance_of(world.dev).done.count == 0


def test_a_nic_reads_blocks_at_start_and_again_when_they_go_stale() -> None:
    function = nvme()
    function.put(0x00, 2, 0x15B3)
    function.put(0x08, 4, 0x0200_0000)
    world = World("nic-vf", function)
    assert world.blocks.log == [("read", 0), ("write", 1)]
    assert world.blocks.registered is not None
    context, callback = world.blocks.registered

    async def notice() -> None:
        await callback(context, 0b1010)

    world.rig.run(notice())
    assert world.blocks.log[2:] == [("read", 1), ("read", 3)]
    assert instance_of(world.dev).blocks[3] == b"\3" * 128
    world.rig.tear_down()
    assert world.blocks.registered is None
    assert world.rig.kernel.heap.census() == {}


def test_drivers_are_found_by_class_and_vendor() -> None:
    assert driver_for(0x144D, 0x010802).name == "nvme"
    assert driver_for(0x15B3, 0x020000).name == "nic-vf"
    assert driver_for(0x8086, 0x020000).name == "generic"
    assert driver_for(0x10DE, 0x030200).name == "gpu"
    assert driver_for(0x17CB, 0x028000).name == "wifi"
    assert driver_for(0x8086, 0x028000).name == "generic"


@pytest.mark.parametrize("name", list(DRIVERS))
def test_a_table_is_plain_data(name: str) -> None:
    table = DRIVERS[name]
    steps = msgspec.json.decode(msgspec.json.encode(table.probe), type=list[Step])
    assert tuple(steps) == table.probe


def test_every_step_of_every_table_is_known_and_so_is_what_undoes_it() -> None:
    tables = [
        (*table.probe, *table.remove, *table.suspend, *table.resume) for table in DRIVERS.values()
    ]
    steps = {step.op for table in tables for step in table}
    assert steps | set(UNDO.values()) == set(OPERATIONS)


def asleep(world: World) -> list[int]:
    """The vectors that a driver holds while the machine is off; then it is switched on again."""
    kept: list[int] = []

    async def story() -> None:
        assert await world.driver.suspend(world.dev) == 0
        kept.extend(world.dev.msi_descs)
        assert await submit(world.dev, 1, 1) == -ENODEV
        assert await world.driver.resume(world.dev) == 0
        assert await submit(world.dev, 1, 1000) == 0

    world.rig.run(story())
    return kept


@pytest.mark.parametrize(("driver", "keeps"), [("nvme", 0), ("generic", 2)])
def test_a_driver_frees_its_vectors_to_sleep_or_keeps_them_and_works_afterwards(
    driver: str, keeps: int
) -> None:
    world = World(driver)
    assert len(asleep(world)) == keeps
    world.rig.tear_down()
    assert world.rig.kernel.heap.census() == {}


def test_a_driver_that_cannot_start_again_holds_nothing_and_can_be_removed() -> None:
    world = World("nvme")

    async def story() -> None:
        assert await world.driver.suspend(world.dev) == 0
        world.rig.port.memory[HIGH_WINDOW] = ALL_ONES
        assert await world.driver.resume(world.dev) == -ENODEV
        assert await submit(world.dev, 1, 1) == -ENODEV

    world.rig.run(story())
    assert world.dev.enable_cnt == 0
    assert world.dev.msi_descs == {}
    world.rig.tear_down()
    assert world.rig.kernel.heap.census() == {}
