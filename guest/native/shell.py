# SPDX-License-Identifier: MIT
# ruff: noqa: ARG002 - what is lacking says so, whatever it is called with
"""What somebody with a shell in the real driver's guest can do; each is a thread of its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.errors import LocalProtocolError
from protocol.ids import Devfn

if TYPE_CHECKING:
    from guest.native.guest import NativeGuest

NOBODY = UUID(int=0)


class Command(IntEnum):
    """``enum vx_command`` of shim/shell.c."""

    UNLOAD = 0
    LOAD = 1
    RESCAN = 2
    BIND = 3
    UNBIND = 4
    SUBMIT = 5
    SET_AFFINITY = 6
    READ_BLOCK = 7
    WRITE_BLOCK = 8


class NativeShell:
    """Somebody logged in to one guest."""

    def __init__(self, guest: NativeGuest) -> None:
        self._guest = guest

    async def rescan(self) -> None:
        """``echo 1 > /sys/bus/pci/rescan``."""
        await self._guest.command(Command.RESCAN)

    async def bind(self, instance: UUID, devfn: Devfn) -> None:
        """Let the function have its driver."""
        await self._guest.command(Command.BIND, instance, devfn)

    async def unbind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``unbind``."""
        await self._guest.command(Command.UNBIND, instance, devfn)

    async def submit(self, instance: UUID, devfn: Devfn, rounds: int) -> None:
        """Use the device: one command on each queue, ``rounds`` times."""
        await self._guest.command(Command.SUBMIT, instance, devfn, rounds)

    async def set_affinity(
        self, instance: UUID, devfn: Devfn, vector: int, cpus: Sequence[int]
    ) -> None:
        """Write a vector's ``smp_affinity``."""
        mask = sum(1 << cpu for cpu in cpus)
        await self._guest.command(Command.SET_AFFINITY, instance, devfn, vector, mask)

    def open_files(self) -> list[object]:
        """The devices that processes hold open."""
        return []

    async def suspend(self) -> None:
        """``systemctl hibernate``."""
        raise _lacking("suspend")

    async def resume(self) -> None:
        """Switch the machine on."""
        raise _lacking("resume")

    async def open_device(self, instance: UUID, devfn: Devfn) -> None:
        """A process opens the device."""
        raise _lacking("open-device")

    async def close_device(self, instance: UUID, devfn: Devfn) -> None:
        """The process closes it."""
        raise _lacking("close-device")

    async def move_channel(self, instance: UUID, cpu: int) -> None:
        """Write the VMBus channel's ``cpu``."""
        raise _lacking("move-channel")

    async def cpu_offline(self, cpu: int) -> None:
        """Write 0 to the CPU's ``online``."""
        raise _lacking("cpu-offline")

    async def cpu_online(self, cpu: int) -> None:
        """Write 1 to the CPU's ``online``."""
        raise _lacking("cpu-online")

    async def read_block(self, instance: UUID, devfn: Devfn, block: int, size: int) -> None:
        """Let the function driver read a configuration block."""
        raise _lacking("read-block")

    async def write_block(self, instance: UUID, devfn: Devfn, block: int, data: bytes) -> None:
        """Let the function driver write a configuration block."""
        raise _lacking("write-block")


class NativeBusShell:
    """Somebody at a shell who decides which driver a vPCI bus has."""

    def __init__(self, guest: NativeGuest) -> None:
        self._guest = guest

    async def load(self) -> None:
        """``modprobe pci-hyperv``."""
        await self._guest.command(Command.LOAD)

    async def unload(self) -> None:
        """``rmmod pci-hyperv``."""
        await self._guest.command(Command.UNLOAD)

    async def bind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``bind``."""
        raise _lacking("bus bind")

    async def unbind(self, instance: UUID) -> None:
        """Write the bus's instance id to hv_pci's ``unbind``."""
        raise _lacking("bus unbind")

    async def override(self, instance: UUID, driver: str | None) -> None:
        """Write a driver's name to the bus's ``driver_override``."""
        raise _lacking("driver_override")


def _lacking(step: str) -> LocalProtocolError:
    return LocalProtocolError(f"the real driver's shell has no {step} yet")
