# SPDX-License-Identifier: MIT
"""``gpu``: an accelerator with a small 32-bit register BAR and a 128 GiB window on its memory.

Model: shaped after data-centre GPUs; mapping and unmapping the large BAR is what makes assigning
one slow.
"""

from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msi, placed_msix
from protocol.pci_cap_rows import (
    ADVANCED_ERRORS,
    ALTERNATIVE_ROUTING,
    DATA_LINK_FEATURE,
    POWER_MANAGEMENT,
    RESIZABLE_BAR,
    SECONDARY_EXPRESS,
)
from protocol.pci_regs import Bar

_MEMORY_LOG2_MIB = 17  # 128 GiB, as Resizable BAR counts

GPU: DeviceProfile = endpoint(
    "gpu",
    Identity(
        v_id=0x10DE,  # NVIDIA
        d_id=0x20B5,
        rev=0xA1,
        prog_intf=0x00,
        subclass=0x02,  # 3D controller
        base_class=0x03,
        subsystem_id=0x1533_10DE,
    ),
    bars=(
        Bar(0, 16 << 20, 32, prefetchable=False),
        Bar(1, 128 << 30, 64, prefetchable=True),
        Bar(3, 32 << 20, 64, prefetchable=True),
    ),
    capabilities=(
        placed(POWER_MANAGEMENT, 0x60, capabilities=0x0003, control=0x0008),
        placed_msi(0x68, vectors=1),
        placed_express(0x80, speed=4, width=16),
        placed_msix(0xC8, vectors=6, table=(0, 0x00B9_0000), pba=(0, 0x00BA_0000)),
        placed(SECONDARY_EXPRESS, 0x100),
        placed(
            ADVANCED_ERRORS,
            0x420,
            version=2,
            uncorrectable_severity=0x0046_2030,
            correctable_mask=0x0000_2000,
        ),
        placed(
            RESIZABLE_BAR,
            0xBB0,
            # Sizes from 64 MiB (bit 6) up; bit 4 + n of the capability stands for 2**n MiB.
            capability=sum(1 << 4 + size for size in range(6, _MEMORY_LOG2_MIB + 1)),
            control=_MEMORY_LOG2_MIB << 8 | 1 << 5 | 1,  # one resizable BAR: number 1
        ),
        placed(ALTERNATIVE_ROUTING, 0xC14),
        placed(DATA_LINK_FEATURE, 0xE00, capabilities=0x8000_0001, status=0x8000_0001),
    ),
)
