# SPDX-License-Identifier: MIT
"""``multi-msi``: 32 vectors of MSI with per-vector mask, and no MSI-X.

Model: like the Wi-Fi adapters that Linux's ath11k drives; those made multi-MSI work in pci-hyperv.
"""

from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msi
from protocol.pci_cap_rows import (
    ADVANCED_ERRORS,
    L1_SUBSTATES,
    LATENCY_TOLERANCE,
    POWER_MANAGEMENT,
)
from protocol.pci_regs import Bar

MULTI_MSI: DeviceProfile = endpoint(
    "multi-msi",
    Identity(
        v_id=0x17CB,  # Qualcomm
        d_id=0x1103,
        rev=0x01,
        prog_intf=0x00,
        subclass=0x80,  # network controller
        base_class=0x02,
        subsystem_id=0x0108_17CB,
    ),
    bars=(Bar(0, 2 << 20, 64, prefetchable=False),),
    capabilities=(
        placed(POWER_MANAGEMENT, 0x40, capabilities=0x0003, control=0x0008),
        placed_msi(0x50, vectors=32),
        placed_express(0x70, speed=3, width=1),
        placed(ADVANCED_ERRORS, 0x100, version=2, uncorrectable_severity=0x0046_2030),
        placed(LATENCY_TOLERANCE, 0x148),
        placed(L1_SUBSTATES, 0x150, capabilities=0x0050_0A1F),
    ),
)
