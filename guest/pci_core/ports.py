# SPDX-License-Identifier: MIT
"""What stands around the PCI core: a host-bridge driver below, function drivers above.

``PciOps`` and ``BlockOps`` are what a host-bridge driver implements (with the interrupt chip of
``guest.kernel.irq_chip``), ``FunctionDriver`` is what a device's driver implements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from protocol.ids import Devfn

if TYPE_CHECKING:
    from guest.pci_core.types import BlockInvalidate, PciBus, PciDev


class PciOps(Protocol):
    """struct pci_ops: configuration space by (where, size), offsets and sizes in bytes.

    Results are 0 (``PCIBIOS_SUCCESSFUL``) or a positive PCIBIOS_* code; a failed read's value is
    all ones of its size. ``next_slot`` is what a scan asks next: the first slot from ``devfn`` on
    where somebody might answer, by its function 0; 256 if there is none.
    """

    def next_slot(self, bus: PciBus, devfn: int) -> int: ...

    async def read(self, bus: PciBus, devfn: Devfn, where: int, size: int) -> tuple[int, int]: ...

    async def write(self, bus: PciBus, devfn: Devfn, where: int, size: int, value: int) -> int: ...


class BlockOps(Protocol):
    """struct hyperv_pci_block_ops: the config-block back channel (pci-hyperv-intf.c).

    Lengths in bytes; results are 0 or a negative errno.
    """

    async def read_block(self, dev: PciDev, block_id: int, length: int) -> tuple[int, bytes]: ...

    async def write_block(self, dev: PciDev, block_id: int, data: bytes) -> int: ...

    async def reg_blk_invalidate(
        self, dev: PciDev, context: object, block_invalidate: BlockInvalidate | None
    ) -> int: ...


class FunctionDriver(Protocol):
    """struct pci_driver: 0 or a negative errno, and every one may sleep.

    ``suspend`` stops a device that ``resume`` starts again; what lies between is the PCI core's.
    """

    name: str

    def match(self, dev: PciDev) -> bool: ...

    async def probe(self, dev: PciDev) -> int: ...

    async def remove(self, dev: PciDev) -> None: ...

    async def suspend(self, dev: PciDev) -> int: ...

    async def resume(self, dev: PciDev) -> int: ...
