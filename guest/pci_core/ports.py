# SPDX-License-Identifier: MIT
"""What stands around the PCI core: a host-bridge driver below, function drivers above.

``PciOps``, ``MsiController`` and ``BlockOps`` are what a host-bridge driver implements,
``FunctionDriver`` is what a device's driver implements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from protocol.ids import Devfn

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.pci_core.types import BlockInvalidate, MsiMsg, PciBus, PciDev


class PciOps(Protocol):
    """struct pci_ops: configuration space by (where, size), offsets and sizes in bytes.

    Results are 0 (``PCIBIOS_SUCCESSFUL``) or a positive PCIBIOS_* code; a failed read's value is
    all ones of its size. ``next_slot`` is what a scan asks next: the first slot from ``devfn`` on
    where somebody might answer, by its function 0; 256 if there is none.
    """

    def next_slot(self, bus: PciBus, devfn: int) -> int: ...

    async def read(self, bus: PciBus, devfn: Devfn, where: int, size: int) -> tuple[int, int]: ...

    async def write(self, bus: PciBus, devfn: Devfn, where: int, size: int, value: int) -> int: ...


class MsiController(Protocol):
    """The bridge driver's MSI domain on top of the x86 vectors: chip and msi_domain_ops in one.

    ``compose_msi_msg`` and the mask callbacks run under the interrupt descriptor's lock, with
    interrupts off, except for the first compose of an allocation.
    """

    name: str

    async def compose_msi_msg(self, data: IrqData) -> MsiMsg: ...

    async def irq_mask(self, data: IrqData) -> None: ...

    async def irq_unmask(self, data: IrqData) -> None: ...

    async def msi_free(self, data: IrqData) -> None: ...


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
    """struct pci_driver. ``probe`` returns 0 or a negative errno; both may sleep."""

    name: str

    def match(self, dev: PciDev) -> bool: ...

    async def probe(self, dev: PciDev) -> int: ...

    async def remove(self, dev: PciDev) -> None: ...
