# SPDX-License-Identifier: MIT
"""Drivers come to the bus and leave it, and the devices that are there with them."""

from __future__ import annotations

from errno import EBUSY
from uuid import UUID

from guest.kernel import ops
from guest.vmbus.channel import HvDevice
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import ProbingDriver, open_channel
from tests.guest.vmbus.test_driver_core import driver_of
from tests.guest.vmbus.test_driver_sysfs import Rig


def test_unloading_waits_for_a_probe_under_way_and_then_unbinds() -> None:
    host = ScriptedHost()
    order: list[str] = []

    async def story(hdev: HvDevice) -> int:
        error = await open_channel(hdev)
        await ops.msleep(host.kernel, 50)
        order.append("probed")
        return error

    async def unload() -> None:
        await ops.msleep(host.kernel, 10)
        await host.vmbus.bus.unregister(driver)
        order.append("unloaded")

    driver = driver_of(host, story)
    host.kernel.spawn_thread("unload", unload())
    host.engine.run()
    assert order == ["probed", "unloaded"]
    assert driver.removed == 1
    (channel,) = host.vmbus.channels.values()
    assert channel.device_obj is not None
    assert channel.device_obj.driver is None


def test_nothing_binds_to_a_driver_that_was_unloaded() -> None:
    host = ScriptedHost()
    driver = driver_of(host, open_channel)
    host.kernel.spawn_thread("unload", host.vmbus.bus.unregister(driver))
    host.engine.run()
    assert driver.removed == 0
    assert host.heard == ["INITIATE_CONTACT"]


def test_a_driver_that_comes_back_finds_the_devices_that_are_there() -> None:
    rig = Rig()
    rig.play((100, rig.unregister), (200, rig.register))
    assert (rig.driver.probed, rig.driver.removed) == (2, 1)
    assert rig.bound


def test_a_driver_that_comes_back_passes_by_a_device_meant_for_another() -> None:
    rig = Rig()
    steps = ((100, rig.unregister), (150, lambda: rig.override("other")), (200, rig.register))
    rig.play(*steps)
    assert not rig.bound


def test_two_drivers_of_one_name_cannot_be_there() -> None:
    rig = Rig()

    async def another() -> None:
        rig.errors.append(await rig.host.vmbus.register_driver(ProbingDriver(open_channel)))

    assert rig.play((100, another)) == [-EBUSY]


def test_a_device_that_is_off_the_bus_takes_no_other_with_it() -> None:
    rig = Rig()
    rig.play()
    bus = rig.host.vmbus.bus
    (first,) = bus.devices
    second = HvDevice(rig.host.vmbus, first.channel, UUID(int=2), first.release)
    bus.add(second)
    bus.remove(first)
    bus.remove(first)
    assert bus.devices == [second]
    bus.remove(second)
    bus.remove(second)
    assert bus.devices == []
