# SPDX-License-Identifier: MIT
"""What somebody with a shell in the real driver's guest can do; each is a thread of its kernel.

The methods of the reference guest's shell (``guest/shell.py``, ``guest/bus_shell.py``), with the
same meaning. What the kernel refuses is told as an event by the kernel's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from protocol.ids import Devfn

if TYPE_CHECKING:
    from guest.native.guest import NativeGuest

NOBODY = UUID(int=0)


class Verb(IntEnum):
    """``enum vx_verb`` of shim/shell.c."""

    MODPROBE = 0
    RMMOD = 1
    BIND_BUS = 2
    UNBIND_BUS = 3
    OVERRIDE = 4
    MOVE_CHANNEL = 5
    RESCAN = 6
    BIND = 7
    UNBIND = 8
    OPEN = 9
    CLOSE = 10
    SUBMIT = 11
    SET_AFFINITY = 12
    READ_BLOCK = 13
    WRITE_BLOCK = 14
    LSPCI = 15
    CPU_OFFLINE = 16
    CPU_ONLINE = 17
    SUSPEND = 18
    RESUME = 19


class Command(NamedTuple):
    """One command. ``a`` and ``b`` are numbers and ``text`` bytes, as its verb has them."""

    verb: Verb
    instance: UUID = NOBODY
    devfn: int = 0
    a: int = 0
    b: int = 0
    text: bytes = b""


class NativeShell:
    """Somebody logged in to one guest."""

    def __init__(self, guest: NativeGuest) -> None:
        self._guest = guest

    async def suspend(self) -> None:
        """``systemctl hibernate``: until the machine is off, or could not be."""
        await self._guest.command(Command(Verb.SUSPEND))

    async def resume(self) -> None:
        """Switch the machine on: until it is back. Nothing if it is not off."""
        await self._guest.command(Command(Verb.RESUME))

    async def rescan(self) -> None:
        """``echo 1 > /sys/bus/pci/rescan``."""
        await self._guest.command(Command(Verb.RESCAN))

    async def bind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``bind``."""
        await self._guest.command(Command(Verb.BIND, instance, devfn))

    async def unbind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``unbind``."""
        await self._guest.command(Command(Verb.UNBIND, instance, devfn))

    async def submit(self, instance: UUID, devfn: Devfn, rounds: int) -> None:
        """Use the device: one command on each queue, ``rounds`` times."""
        await self._guest.command(Command(Verb.SUBMIT, instance, devfn, rounds))

    async def open_device(self, instance: UUID, devfn: Devfn) -> None:
        """A process opens the device: the open file keeps its pci_dev, removed or not."""
        await self._guest.command(Command(Verb.OPEN, instance, devfn))

    async def close_device(self, instance: UUID, devfn: Devfn) -> None:
        """The process closes it."""
        await self._guest.command(Command(Verb.CLOSE, instance, devfn))

    def open_files(self) -> list[object]:
        """Nothing: what processes hold open is the library's own, which finds what it leads to."""
        return []

    async def set_affinity(
        self, instance: UUID, devfn: Devfn, vector: int, cpus: Sequence[int]
    ) -> None:
        """Write a vector's ``smp_affinity``; it moves with its next interrupt."""
        mask = sum(1 << cpu for cpu in cpus).to_bytes(max(cpus) // 8 + 1, "little")
        await self._guest.command(Command(Verb.SET_AFFINITY, instance, devfn, vector, text=mask))

    async def move_channel(self, instance: UUID, cpu: int) -> None:
        """Write the VMBus channel's ``cpu``: its interrupts go there from then on."""
        await self._guest.command(Command(Verb.MOVE_CHANNEL, instance, a=cpu))

    async def cpu_offline(self, cpu: int) -> None:
        """Write 0 to the CPU's ``online``."""
        await self._guest.command(Command(Verb.CPU_OFFLINE, a=cpu))

    async def cpu_online(self, cpu: int) -> None:
        """Write 1 to the CPU's ``online``."""
        await self._guest.command(Command(Verb.CPU_ONLINE, a=cpu))

    async def read_block(self, instance: UUID, devfn: Devfn, block: int, size: int) -> None:
        """Let the function driver read a configuration block."""
        await self._guest.command(Command(Verb.READ_BLOCK, instance, devfn, block, size))

    async def write_block(self, instance: UUID, devfn: Devfn, block: int, data: bytes) -> None:
        """Let the function driver write a configuration block."""
        await self._guest.command(Command(Verb.WRITE_BLOCK, instance, devfn, block, text=data))


class NativeBusShell:
    """The same somebody, who decides which driver a bus has."""

    def __init__(self, guest: NativeGuest) -> None:
        self._guest = guest

    async def load(self) -> None:
        """``modprobe pci-hyperv``: a module that is there already is what was wanted."""
        await self._guest.command(Command(Verb.MODPROBE))

    async def unload(self) -> None:
        """``rmmod pci-hyperv``."""
        await self._guest.command(Command(Verb.RMMOD))

    async def bind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``bind``."""
        await self._guest.command(Command(Verb.BIND_BUS, instance))

    async def unbind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``unbind``."""
        await self._guest.command(Command(Verb.UNBIND_BUS, instance))

    async def override(self, instance: UUID, driver: str | None) -> None:
        """Write a driver's name to the bus's ``driver_override``; None: an empty line."""
        text = (driver or "").encode()
        await self._guest.command(Command(Verb.OVERRIDE, instance, text=text))
