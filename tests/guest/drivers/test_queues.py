# SPDX-License-Identifier: MIT
"""Queues with managed vectors: drained before their last CPU goes, used again when one is back."""

from __future__ import annotations

from guest.drivers.interpreter import instance_of, submit
from guest.drivers.steps import DriverOptions
from guest.kernel import ops
from guest.kernel.cpu_events import CpuOffline
from guest.kernel.irq_events import InterruptHandled
from tests.guest.drivers.test_drivers import LATENCY_NS, TIMEOUT_MS, World


def down(world: World, cpu: int) -> None:
    assert world.rig.run(world.rig.kernel.hotplug.cpu_down(cpu)) == 0


def rung(world: World, rounds: int = 1) -> list[int]:
    """The doorbells that so many rounds of commands ring."""
    world.rig.port.log.clear()
    assert world.rig.run(submit(world.dev, rounds, TIMEOUT_MS)) == 0
    return world.doorbells()


def test_a_queue_without_a_cpu_gets_no_commands_until_one_is_back() -> None:
    world = World(cpus=4)
    down(world, 2)
    assert rung(world, 2) == [0, 1, 3] * 2
    assert world.rig.run(world.rig.kernel.hotplug.cpu_up(2)) == 0
    assert rung(world) == [0, 1, 2, 3]


def test_a_cpu_waits_for_the_commands_of_the_queue_that_it_is_the_last_of() -> None:
    world = World(cpus=4)
    before = len(world.rig.events_of(InterruptHandled))

    async def goes() -> None:
        await ops.usleep(world.rig.kernel, LATENCY_NS // 2_000)  # the doorbells have been rung
        assert await world.rig.kernel.hotplug.cpu_down(3) == 0

    assert world.rig.run(submit(world.dev, 1, TIMEOUT_MS), goes()) == 0
    handled = world.rig.events_of(InterruptHandled)[before:]
    assert [event.cpu for event in handled] == [0, 1, 2, 3]
    assert world.rig.events.index(handled[-1]) < world.rig.events.index(CpuOffline(3))


def test_queues_with_unmanaged_vectors_stay_at_work_whoever_goes() -> None:
    world = World(options=DriverOptions(spread="none"), cpus=4)
    down(world, 3)
    assert instance_of(world.dev).inactive == set()


def test_a_driver_that_has_gone_is_not_told() -> None:
    world = World(cpus=4)
    world.rig.run(world.rig.pci.unbind(world.dev))
    down(world, 3)


def test_a_device_that_is_bound_without_a_cpu_leaves_its_queue_alone_until_it_comes() -> None:
    world = World(cpus=4)
    world.rig.run(world.rig.pci.unbind(world.dev))
    down(world, 1)
    world.rig.run(world.rig.pci.bind(world.dev, "nvme"))
    assert rung(world) == [0, 2, 3]
    assert world.rig.run(world.rig.kernel.hotplug.cpu_up(1)) == 0
    assert rung(world) == [0, 1, 2, 3]
