# SPDX-License-Identifier: MIT
"""Devices are put to sleep and woken in the order of their registration: drivers/base/power/main.c.

Children before parents on the way down, parents before children on the way up. Knows what each
device's bus does in each phase only as a row of callbacks.

Model: one device after the other. Linux lets PCI devices do it side by side, each before its
parent; the devices of VMBus go one by one there as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from guest.kernel import ops

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

Callback = Callable[[], Awaitable[int]]


async def nothing() -> int:
    """A phase in which a device has nothing to do."""
    return 0


class PmOps(NamedTuple):
    """struct dev_pm_ops, as far as hibernation uses it; each returns 0 or a negative errno."""

    freeze: Callback = nothing
    freeze_noirq: Callback = nothing
    thaw_noirq: Callback = nothing
    thaw: Callback = nothing
    restore_noirq: Callback = nothing
    restore: Callback = nothing


class PmEvent(Enum):
    """Why devices are woken."""

    RECOVER = "recover"  # they could not all be put to sleep
    RESTORE = "restore"  # the machine is on again


class Hold(NamedTuple):
    """get_device() and put_device() of one device."""

    get: Callable[[], object]
    put: Callable[[], Awaitable[None]]


class PmDevice:
    """struct dev_pm_info: how far down the device is. ``hold`` None: it goes nowhere."""

    __slots__ = ("hold", "is_noirq_suspended", "is_suspended", "name", "ops")

    def __init__(self, name: str, pm_ops: PmOps, hold: Hold | None) -> None:
        self.name = name
        self.ops = pm_ops
        self.hold = hold
        self.is_suspended = False
        self.is_noirq_suspended = False


class DevicePm:
    """The machine's devices, the oldest first; by the object that stands for each."""

    __slots__ = ("_devices", "_kernel")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._devices: dict[object, PmDevice] = {}

    def add(self, device: object, name: str, pm_ops: PmOps, hold: Hold | None = None) -> None:
        """device_pm_add()."""
        self._devices[device] = PmDevice(name, pm_ops, hold)

    def remove(self, device: object) -> None:
        """device_pm_remove(): also while devices are being put to sleep or woken."""
        self._devices.pop(device, None)

    async def suspend(self) -> int:
        """dpm_suspend(PMSG_FREEZE): 0, or the first error; the rest is left alone then."""
        for device in self._youngest_first():
            error = await self._run("freeze", device, device.ops.freeze)
            if error:
                return error
            device.is_suspended = True
        return 0

    async def suspend_noirq(self) -> int:
        """dpm_noirq_suspend_devices(PMSG_FREEZE): the same."""
        for device in self._youngest_first():
            error = await self._run("freeze_noirq", device, device.ops.freeze_noirq)
            if error:
                return error
            device.is_noirq_suspended = True
        return 0

    async def resume_noirq(self, event: PmEvent) -> None:
        """dpm_noirq_resume_devices(): what did not get that far is passed over; errors are told."""
        for device in self._oldest_first():
            if device.is_noirq_suspended:
                device.is_noirq_suspended = False
                pm_ops = device.ops
                restoring = event is PmEvent.RESTORE
                callback = pm_ops.restore_noirq if restoring else pm_ops.thaw_noirq
                await self._run(f"{event.value}_noirq", device, callback)

    async def resume(self, event: PmEvent) -> None:
        """dpm_resume(): the same for the phase before."""
        for device in self._oldest_first():
            if device.is_suspended:
                device.is_suspended = False
                pm_ops = device.ops
                callback = pm_ops.restore if event is PmEvent.RESTORE else pm_ops.thaw
                await self._run(event.value, device, callback)

    def _oldest_first(self) -> Iterator[PmDevice]:
        return self._present(list(self._devices.items()))

    def _youngest_first(self) -> Iterator[PmDevice]:
        return self._present(reversed(list(self._devices.items())))

    def _present(self, devices: Iterable[tuple[object, PmDevice]]) -> Iterator[PmDevice]:
        """Those of them that have not been removed by the time their turn comes."""
        return (device for key, device in devices if self._devices.get(key) is device)

    async def _run(self, phase: str, device: PmDevice, callback: Callback) -> int:
        """dpm_run_callback(), and what stands around it: the device is held."""
        kernel = self._kernel
        if callback is nothing:
            return 0
        if device.hold is not None:
            device.hold.get()
        await ops.point(kernel, f"dpm {phase}")
        error = await callback()
        if error:
            kernel.log("err", f"PM: failed to {phase} {device.name}: error {error}")
        if device.hold is not None:
            await device.hold.put()
        return error
