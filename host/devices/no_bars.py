# SPDX-License-Identifier: MIT
"""``no-bars``: a function without memory of its own, hence with MSI and not MSI-X.

Model: like the system-management functions of server processors. A bus with nothing to map is a
case of its own: no window is allocated for it.
"""

from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msi
from protocol.pci_cap_rows import ADVANCED_ERRORS, POWER_MANAGEMENT

NO_BARS: DeviceProfile = endpoint(
    "no-bars",
    Identity(
        v_id=0x8086,  # Intel
        d_id=0x6F28,
        rev=0x01,
        prog_intf=0x00,
        subclass=0x80,  # other system peripheral
        base_class=0x08,
        subsystem_id=0x0000_8086,
    ),
    bars=(),
    capabilities=(
        placed_express(0x40, speed=3, width=1),
        placed_msi(0x80, vectors=1),
        placed(POWER_MANAGEMENT, 0xE0, capabilities=0x0003, control=0x0008),
        placed(ADVANCED_ERRORS, 0x100, uncorrectable_severity=0x0006_2030),
    ),
)
