# SPDX-License-Identifier: MIT
"""``bars-32``: an Ethernet adapter all of whose BARs are 32-bit, so that only low MMIO will do.

Model: like Intel's 82574L, without its I/O BAR 2: Hyper-V assigns no I/O ports.
"""

from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msi, placed_msix
from protocol.pci_cap_rows import ADVANCED_ERRORS, POWER_MANAGEMENT, SERIAL_NUMBER
from protocol.pci_regs import Bar

BARS_32: DeviceProfile = endpoint(
    "bars-32",
    Identity(
        v_id=0x8086,  # Intel
        d_id=0x10D3,
        rev=0x00,
        prog_intf=0x00,
        subclass=0x00,  # Ethernet
        base_class=0x02,
        subsystem_id=0xA01F_8086,
    ),
    bars=(
        Bar(0, 128 << 10, 32, prefetchable=False),
        Bar(1, 512 << 10, 32, prefetchable=False),
        Bar(3, 16 << 10, 32, prefetchable=False),
    ),
    capabilities=(
        placed(POWER_MANAGEMENT, 0x40, capabilities=0x0003, control=0x0008),
        placed_msi(0x50, vectors=1),
        placed_express(0x70, speed=1, width=1),
        placed_msix(0xB0, vectors=5, table=(3, 0x0000), pba=(3, 0x2000)),
        placed(ADVANCED_ERRORS, 0x100, uncorrectable_severity=0x0006_2011),
        placed(SERIAL_NUMBER, 0x140, serial_low=0xFF3E_7A21, serial_high=0x001B_21FF),
    ),
)
