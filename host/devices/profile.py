# SPDX-License-Identifier: MIT
"""A device profile: what one kind of assigned function looks like before anybody touched it.

Data only: the 4 KiB reset image, the memory BARs, the configuration blocks. Knows neither buses
nor guests; ``host.function`` makes live instances of it.
"""

from typing import NamedTuple

import msgspec

from protocol.pci_cap_rows import PCI_MSI_FLAGS_QMASK, PCI_MSIX_FLAGS_QSIZE
from protocol.pci_caps import PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, find_capability
from protocol.pci_regs import CONFIG_BYTES, PCI_SUBSYSTEM_VENDOR_ID, PCI_VENDOR_ID, Bar

BLOCK_BYTES_MAX = 128  # HV_CONFIG_BLOCK_SIZE_MAX of pci-hyperv
# The sample devices' one behaviour (see ``DeviceProfile.doorbells``), laid out as NVMe's doorbells.
DOORBELL_OFFSET = 0x1000
DOORBELL_STRIDE = 8


class Identity(NamedTuple):
    """The fields of a function description in bus relations, under their wire names."""

    v_id: int
    d_id: int
    rev: int
    prog_intf: int
    subclass: int
    base_class: int
    subsystem_id: int  # 32 bits: the subsystem's vendor in the low half, its id in the high one


class MsixLayout(NamedTuple):
    """MSI-X: number of vectors, and where table and pending bits lie: BAR index, byte offset."""

    vectors: int
    table_bar: int
    table_offset: int
    pba_bar: int
    pba_offset: int


class DeviceProfile(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """One kind of device. Hashable, equal by content.

    ``config`` is the reset image of ``CONFIG_BYTES``; its BAR registers hold their type bits only.
    ``blocks`` are the configuration blocks a VF's driver may read and write: (id, bytes) pairs.
    """

    name: str
    config: bytes
    bars: tuple[Bar, ...]
    blocks: tuple[tuple[int, bytes], ...] = ()

    def __post_init__(self) -> None:
        assert len(self.config) == CONFIG_BYTES, "a profile holds the whole configuration space"

    def word(self, offset: int, size: int) -> int:
        """The register of ``size`` bytes at ``offset`` in the reset image."""
        return int.from_bytes(self.config[offset : offset + size], "little")

    @property
    def identity(self) -> Identity:
        """What bus relations tell of this function."""
        return Identity(
            v_id=self.word(PCI_VENDOR_ID, 2),
            d_id=self.word(PCI_VENDOR_ID + 2, 2),
            rev=self.config[0x08],
            prog_intf=self.config[0x09],
            subclass=self.config[0x0A],
            base_class=self.config[0x0B],
            subsystem_id=self.word(PCI_SUBSYSTEM_VENDOR_ID, 4),
        )

    @property
    def msi_vectors(self) -> int:
        """Vectors the MSI capability asks for; 0 without one."""
        at = find_capability(self.config, PCI_CAP_ID_MSI)
        if at is None:
            return 0
        return min(1 << ((self.word(at + 2, 2) & PCI_MSI_FLAGS_QMASK) >> 1), 32)

    @property
    def msix(self) -> MsixLayout | None:
        """The MSI-X capability, or None."""
        at = find_capability(self.config, PCI_CAP_ID_MSIX)
        if at is None:
            return None
        table, pba = self.word(at + 4, 4), self.word(at + 8, 4)
        vectors = (self.word(at + 2, 2) & PCI_MSIX_FLAGS_QSIZE) + 1
        return MsixLayout(vectors, table & 7, table & ~7, pba & 7, pba & ~7)

    def bar(self, index: int) -> Bar | None:
        """The memory BAR of this index, or None."""
        return next((bar for bar in self.bars if bar.index == index), None)

    @property
    def doorbells(self) -> range:
        """Byte offsets in BAR 0 at which a write completes a command; empty without room for one.

        Model: a device here does one thing. A write to doorbell q, at ``DOORBELL_OFFSET +
        DOORBELL_STRIDE * q`` in BAR 0, completes a command of queue q and raises vector q.
        """
        bar = self.bar(0)
        msix = self.msix
        if bar is None or bar.size_bytes <= DOORBELL_OFFSET:
            return range(0)
        queues = msix.vectors if msix else max(self.msi_vectors, 1)
        end = min(DOORBELL_OFFSET + DOORBELL_STRIDE * queues, bar.size_bytes)
        if msix:
            for other, offset in (
                (msix.table_bar, msix.table_offset),
                (msix.pba_bar, msix.pba_offset),
            ):
                if other == 0 and offset >= DOORBELL_OFFSET:
                    end = min(end, offset)
        return range(DOORBELL_OFFSET, end, DOORBELL_STRIDE)
