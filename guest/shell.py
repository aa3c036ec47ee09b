# SPDX-License-Identifier: MIT
"""What somebody with a shell in the guest can do: sysfs, and a process that uses a device.

Each is an async function that runs as a thread of the guest. Knows no scenario and no host. Which
driver a bus has is for ``guest/bus_shell.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from guest.drivers.interpreter import submit, use
from guest.drivers.registry import driver_for
from guest.events import CommandFailed
from guest.kernel.irq_manage import set_affinity
from guest.pci_core.msi import pci_irq_vector
from guest.pci_core.refs import pci_dev_get
from guest.pci_core.types import PciDev
from guest.vmbus.target_cpu import target_cpu_store
from protocol.ids import CpuId, Devfn

if TYPE_CHECKING:
    from guest.reference import ReferenceGuest

COMMAND_TIMEOUT_MS = 60_000


class Shell:
    """Somebody logged in to one guest; what they say of a function that is gone does nothing."""

    def __init__(self, guest: ReferenceGuest) -> None:
        self._guest = guest
        self._open: dict[tuple[UUID, Devfn], PciDev] = {}

    async def suspend(self) -> None:
        """``systemctl hibernate``: until the machine is off, or could not be."""
        await self._guest.hibernation.suspend()

    async def resume(self) -> None:
        """Switch the machine on: until it is back. Nothing if it is not off."""
        await self._guest.hibernation.resume()

    async def rescan(self) -> None:
        """``echo 1 > /sys/bus/pci/rescan``."""
        await self._guest.pci.rescan()

    async def bind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``bind``."""
        dev = self._guest.function(instance, devfn)
        if dev is not None:
            await self._guest.pci.bind(dev, driver_for(dev.vendor, dev.class_code).name)

    async def unbind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``unbind``."""
        dev = self._guest.function(instance, devfn)
        if dev is not None:
            await self._guest.pci.unbind(dev)

    async def submit(self, instance: UUID, devfn: Devfn, rounds: int) -> None:
        """Use the device: one command on each queue, ``rounds`` times."""
        dev = self._guest.function(instance, devfn)
        if dev is not None and dev.drvdata is not None:
            await submit(dev, rounds, COMMAND_TIMEOUT_MS)

    def open_files(self) -> list[PciDev]:
        """The devices that processes hold open."""
        return list(self._open.values())

    async def open_device(self, instance: UUID, devfn: Devfn) -> None:
        """A process opens the device: the open file keeps its pci_dev, removed or not."""
        dev = self._guest.function(instance, devfn)
        if dev is not None and (instance, devfn) not in self._open:
            self._open[instance, devfn] = pci_dev_get(dev)

    async def close_device(self, instance: UUID, devfn: Devfn) -> None:
        """The process closes it."""
        await self._guest.pci.dev_put(self._open.pop((instance, devfn), None))

    async def set_affinity(
        self, instance: UUID, devfn: Devfn, vector: int, cpus: Sequence[int]
    ) -> None:
        """Write a vector's ``smp_affinity``; it moves with its next interrupt."""
        dev = self._guest.function(instance, devfn)
        if dev is not None:
            mask = sum(1 << cpu for cpu in cpus)
            await set_affinity(self._guest.pci.irqs, pci_irq_vector(dev, vector), mask)

    async def move_channel(self, instance: UUID, cpu: int) -> None:
        """Write the VMBus channel's ``cpu``: its interrupts go there from then on."""
        hdev = self._guest.device(instance)
        if hdev is not None:
            await target_cpu_store(hdev.channel, CpuId(cpu))

    async def cpu_offline(self, cpu: int) -> None:
        """Write 0 to the CPU's ``online``.

        Model: x86 has no such file for CPU 0 (arch_cpu_is_hotpluggable()); here VMBus says no.
        """
        kernel = self._guest.kernel
        if kernel.cpu_online_mask >> cpu & 1:
            self._tell("cpu-offline", await kernel.hotplug.cpu_down(cpu))

    async def cpu_online(self, cpu: int) -> None:
        """Write 1 to the CPU's ``online``."""
        kernel = self._guest.kernel
        if cpu < len(kernel.cpus) and not kernel.cpus[cpu].online:
            self._tell("cpu-online", await kernel.hotplug.cpu_up(cpu))

    def _tell(self, command: str, error: int) -> None:
        if error:
            self._guest.kernel.emit(CommandFailed(command, error))

    async def read_block(self, instance: UUID, devfn: Devfn, block: int, size: int) -> None:
        """Let the function driver read a configuration block."""
        dev = self._guest.function(instance, devfn)
        block_ops = self._guest.pci.block_ops
        if dev is not None and dev.drvdata is not None and block_ops is not None:
            await use(dev, partial(block_ops.read_block, dev, block, size))

    async def write_block(self, instance: UUID, devfn: Devfn, block: int, data: bytes) -> None:
        """Let the function driver write a configuration block."""
        dev = self._guest.function(instance, devfn)
        block_ops = self._guest.pci.block_ops
        if dev is not None and dev.drvdata is not None and block_ops is not None:
            await use(dev, partial(block_ops.write_block, dev, block, data))
