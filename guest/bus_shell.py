# SPDX-License-Identifier: MIT
"""Somebody at a shell who decides which driver a vPCI bus has: modprobe, rmmod, /sys/bus/vmbus.

Each command is an async function that runs as a thread of the guest; what the kernel refuses is
told as an event. Knows no scenario and no host.
"""

from __future__ import annotations

from errno import EEXIST, ENODEV, ENOENT
from typing import TYPE_CHECKING
from uuid import UUID

from guest.events import CommandFailed
from guest.vmbus.driver_core import get_device, put_device
from guest.vmbus.driver_files import Store
from guest.vmbus.driver_sysfs import bind_store, driver_override_store, unbind_store

if TYPE_CHECKING:
    from guest.reference import ReferenceGuest


class BusShell:
    """Bound to one guest."""

    def __init__(self, guest: ReferenceGuest) -> None:
        self._guest = guest

    async def load(self) -> None:
        """``modprobe pci-hyperv``: a module that is there already is what was wanted."""
        error = await self._guest.module.load()
        self._told("modprobe", 0 if error == -EEXIST else error)

    async def unload(self) -> None:
        """``rmmod pci-hyperv``."""
        self._told("rmmod", await self._guest.module.unload())

    async def bind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``bind``."""
        await self._write("bind", instance, bind_store)

    async def unbind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``unbind``."""
        await self._write("unbind", instance, unbind_store)

    async def override(self, instance: UUID, driver: str | None) -> None:
        """Write a driver's name to the bus's ``driver_override``; None: an empty line."""
        device = self._guest.vmbus.bus.find(str(instance))
        error = -ENOENT
        if device is not None:
            get_device(device)
            error = await driver_override_store(device, driver)
            await put_device(device)
        self._told("driver_override", error)

    async def _write(self, file: str, instance: UUID, store: Store) -> None:
        bus, driver = self._guest.vmbus.bus, self._guest.driver
        device = bus.find(str(instance))
        error = -ENODEV if bus.files.has(driver) else -ENOENT
        if device is not None:
            get_device(device)
            error = await bus.files.write(driver, device, store)
            await put_device(device)
        self._told(file, error)

    def _told(self, command: str, error: int) -> None:
        if error:
            self._guest.kernel.emit(CommandFailed(command, error))
