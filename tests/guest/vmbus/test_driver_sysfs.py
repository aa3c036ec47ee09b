# SPDX-License-Identifier: MIT
"""bind, unbind and driver_override of a VMBus device, and who waits for whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EBUSY, ENODEV, ENOENT

import pytest

from guest.kernel import ops
from guest.vmbus.channel import HvDevice
from guest.vmbus.driver_core import get_device, put_device
from guest.vmbus.driver_files import Store
from guest.vmbus.driver_sysfs import bind_store, driver_override_store, unbind_store
from tests.guest.vmbus.scripted_host import INSTANCE, ScriptedHost
from tests.guest.vmbus.test_channels import ProbingDriver, open_channel

PROBE_MS = 50


class Rig:
    """One device on offer, a driver whose probe takes a while, and somebody who writes to sysfs."""

    def __init__(self) -> None:
        self.host = ScriptedHost()
        self.errors: list[int] = []
        self.driver = ProbingDriver(self._probe)
        self.host.connect()
        self.host.offer(delay_ns=1_000_000)
        self.spawn(0, self.register)

    async def _probe(self, hdev: HvDevice) -> int:
        await ops.msleep(self.host.kernel, PROBE_MS)
        return await open_channel(hdev)

    @property
    def bound(self) -> bool:
        """Whether the driver has the device."""
        return self.driver in self.host.vmbus.bus.bound.values()

    def spawn(self, after_ms: int, body: Callable[[], Awaitable[object]]) -> None:
        """Do something later, as a thread of its own."""

        async def later() -> None:
            await ops.msleep(self.host.kernel, after_ms)
            await body()

        self.host.kernel.spawn_thread("user", later())

    async def register(self) -> None:
        assert await self.host.vmbus.register_driver(self.driver) == 0

    async def unregister(self) -> None:
        await self.host.vmbus.unregister_driver(self.driver)

    async def write(self, store: Store) -> None:
        bus = self.host.vmbus.bus
        device = bus.find(str(INSTANCE))
        assert device is not None
        get_device(device)
        self.errors.append(await bus.files.write(self.driver, device, store))
        await put_device(device)

    async def bind(self) -> None:
        await self.write(bind_store)

    async def unbind(self) -> None:
        await self.write(unbind_store)

    async def override(self, name: str | None) -> None:
        device = self.host.vmbus.bus.devices[0]
        self.errors.append(await driver_override_store(device, name))

    def play(self, *steps: tuple[int, Callable[[], Awaitable[object]]]) -> list[int]:
        for after_ms, body in steps:
            self.spawn(after_ms, body)
        self.host.engine.run()
        return self.errors


def test_a_device_is_unbound_and_bound_again_on_the_same_channel() -> None:
    rig = Rig()
    assert rig.play((100, rig.unbind), (200, rig.bind)) == [0, 0]
    assert (rig.driver.probed, rig.driver.removed) == (2, 1)
    assert rig.host.heard.count("OPENCHANNEL") == 2
    assert rig.bound


def test_a_device_that_is_bound_cannot_be_bound_again() -> None:
    rig = Rig()
    assert rig.play((100, rig.bind)) == [-EBUSY]


def test_a_device_that_is_not_bound_cannot_be_unbound() -> None:
    rig = Rig()
    assert rig.play((100, rig.unbind), (200, rig.unbind)) == [0, -ENODEV]


def test_unbinding_waits_for_a_probe_under_way() -> None:
    rig = Rig()
    assert rig.play((10, rig.unbind)) == [0]
    assert (rig.driver.probed, rig.driver.removed) == (1, 1)
    assert not rig.bound


def test_a_device_that_is_going_is_bound_to_nothing() -> None:
    rig = Rig()
    rig.host.rescind(delay_ns=100_000_000)

    async def hold_and_bind() -> None:
        (device,) = rig.host.vmbus.bus.devices
        get_device(device)
        await ops.msleep(rig.host.kernel, 100)
        assert device.dead
        rig.errors.append(await bind_store(device, rig.driver))
        await put_device(device)

    assert rig.play((60, hold_and_bind)) == [-ENODEV]
    assert rig.driver.probed == 1
    assert rig.host.vmbus.bus.devices == []
    assert rig.host.heard[-1] == "RELID_RELEASED"


def test_an_override_leaves_who_is_bound_and_bars_who_would_bind() -> None:
    rig = Rig()
    steps = (
        (100, lambda: rig.override("uio_hv_generic")),
        (200, rig.unbind),
        (300, rig.bind),
        (400, lambda: rig.override(None)),
        (500, rig.bind),
    )
    assert rig.play(*steps) == [0, 0, -ENODEV, 0, 0]
    assert rig.bound


def test_an_override_lets_a_driver_of_another_type_bind() -> None:
    rig = Rig()
    rig.driver.interface = INSTANCE  # which no device has for its type
    steps = ((100, rig.bind), (200, lambda: rig.override(rig.driver.name)), (300, rig.bind))
    assert rig.play(*steps) == [-ENODEV, 0, 0]


def test_unloading_waits_for_whoever_is_binding_by_hand_and_then_unbinds() -> None:
    rig = Rig()
    assert rig.play((100, rig.unbind), (200, rig.bind), (210, rig.unregister)) == [0, 0]
    assert (rig.driver.probed, rig.driver.removed) == (2, 2)
    assert not rig.bound


def test_unloading_waits_for_a_write_that_has_not_come_to_the_device_yet() -> None:
    rig = Rig()

    async def hold_the_device() -> None:
        (device,) = rig.host.vmbus.bus.devices
        await device.lock.lock()
        await ops.msleep(rig.host.kernel, 50)
        await device.lock.unlock()

    steps = ((100, rig.unbind), (200, hold_the_device), (210, rig.bind), (220, rig.unregister))
    assert rig.play(*steps) == [0, 0]
    assert (rig.driver.probed, rig.driver.removed) == (2, 2)
    assert not rig.bound


@pytest.mark.parametrize("file", ["bind", "unbind"])
def test_a_driver_that_has_gone_has_no_files(file: str) -> None:
    rig = Rig()
    assert rig.play((100, rig.unregister), (200, getattr(rig, file))) == [-ENOENT]
