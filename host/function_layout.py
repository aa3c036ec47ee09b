# SPDX-License-Identifier: MIT
"""What all instances of one device profile share: derived once, never written.

Knows where a profile's registers, doorbells and MSI-X structures lie; knows no instance.
"""

from collections.abc import Mapping

import msgspec

from host.config_space import RegisterFile
from host.devices.profile import DeviceProfile, Identity, MsixLayout
from host.msi import MSIX_ENTRY_BYTES, MSIX_VECTOR_MASKED
from protocol.pci_caps import PCI_CAP_ID_EXP, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, find_capability
from protocol.pci_regs import probed_bars

PROFILES_KEPT = 64  # more kinds of device than a scenario has
NOTHING = range(0)


class FunctionLayout(msgspec.Struct, frozen=True):
    """Derived from a profile by ``function_layout``. Offsets in bytes unless they say dwords."""

    registers: RegisterFile
    probed: tuple[int, ...]
    vectors: int  # of MSI-X or MSI, whichever has more
    identity: Identity
    doorbells: Mapping[int, int]  # byte offset in BAR 0 -> vector
    msix: MsixLayout | None
    msix_table: range  # dwords in the table's BAR
    memory_reset: Mapping[int, Mapping[int, int]]  # BAR index -> dword -> value
    memory_read_only: Mapping[int, range]  # BAR index -> dwords
    at_msi: int | None
    at_msix: int | None
    at_express: int | None


def function_layout(profile: DeviceProfile) -> FunctionLayout:
    """The layout of a profile; raises ``CapabilityChainError`` for a chain nobody could walk."""
    config, msix = profile.config, profile.msix
    table = _msix_table(msix) if msix else NOTHING
    unmasked_never = dict.fromkeys(table[3::4], MSIX_VECTOR_MASKED)  # PCI 3.0, 6.8.2.9: reset value
    return FunctionLayout(
        registers=RegisterFile(config, profile.bars),
        probed=probed_bars(profile.bars),
        vectors=max(msix.vectors if msix else 0, profile.msi_vectors),
        identity=profile.identity,
        doorbells={offset: vector for vector, offset in enumerate(profile.doorbells)},
        msix=msix,
        msix_table=table,
        memory_reset={msix.table_bar: unmasked_never} if msix else {},
        memory_read_only={msix.pba_bar: _pending_bits(msix)} if msix else {},
        at_msi=find_capability(config, PCI_CAP_ID_MSI),
        at_msix=find_capability(config, PCI_CAP_ID_MSIX),
        at_express=find_capability(config, PCI_CAP_ID_EXP),
    )


def _msix_table(msix: MsixLayout) -> range:
    first = msix.table_offset // 4
    return range(first, first + msix.vectors * MSIX_ENTRY_BYTES // 4)


def _pending_bits(msix: MsixLayout) -> range:
    first = msix.pba_offset // 4
    return range(first, first + 2 * -(-msix.vectors // 64))  # whole qwords (PCI 3.0, 6.8.2.10)
