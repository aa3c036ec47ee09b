# SPDX-License-Identifier: MIT
"""What somebody with a shell in the real driver's guest can do; each is a thread of its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING
from uuid import UUID

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

    async def _run(
        self, command: Command, instance: UUID = NOBODY, devfn: int = 0, a: int = 0, b: int = 0
    ) -> None:
        kernel = self._guest.kernel
        thread = self._guest.start_command(command, instance, devfn, a, b)
        await kernel.join(thread)

    async def unload(self) -> None:
        """``rmmod pci-hyperv``."""
        await self._run(Command.UNLOAD)

    async def load(self) -> None:
        """``modprobe pci-hyperv``."""
        await self._run(Command.LOAD)

    async def rescan(self) -> None:
        """``echo 1 > /sys/bus/pci/rescan``."""
        await self._run(Command.RESCAN)

    async def bind(self, instance: UUID, devfn: Devfn) -> None:
        """Let the function have its driver."""
        await self._run(Command.BIND, instance, devfn)

    async def unbind(self, instance: UUID, devfn: Devfn) -> None:
        """Write the function's address to its driver's ``unbind``."""
        await self._run(Command.UNBIND, instance, devfn)

    async def submit(self, instance: UUID, devfn: Devfn, rounds: int) -> None:
        """Use the device: one command on each queue, ``rounds`` times."""
        await self._run(Command.SUBMIT, instance, devfn, rounds)

    async def set_affinity(
        self, instance: UUID, devfn: Devfn, vector: int, cpus: Sequence[int]
    ) -> None:
        """Write a vector's ``smp_affinity``."""
        mask = sum(1 << cpu for cpu in cpus)
        await self._run(Command.SET_AFFINITY, instance, devfn, vector, mask)
