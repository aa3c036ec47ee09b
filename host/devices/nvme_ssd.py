# SPDX-License-Identifier: MIT
"""``nvme-ssd``: an NVMe SSD, one 64-bit BAR with doorbells, MSI-X table and pending bits.

Model: shaped after current data-centre drives; the values are ours, not a dump of one.
"""

from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msi, placed_msix
from protocol.pci_cap_rows import (
    ADVANCED_ERRORS,
    LATENCY_TOLERANCE,
    POWER_MANAGEMENT,
    SECONDARY_EXPRESS,
    SERIAL_NUMBER,
)
from protocol.pci_regs import Bar

VECTORS = 129  # one admin queue and 128 I/O queues

NVME_SSD: DeviceProfile = endpoint(
    "nvme-ssd",
    Identity(
        v_id=0x144D,  # Samsung
        d_id=0xA80A,
        rev=0x00,
        prog_intf=0x02,  # NVM Express
        subclass=0x08,
        base_class=0x01,
        subsystem_id=0xA801_144D,
    ),
    interrupt_pin=1,  # INTA, as an SSD has it; no guest of a vPCI bus gets to see it
    bars=(Bar(0, 16 << 10, 64, prefetchable=False),),
    capabilities=(
        placed(POWER_MANAGEMENT, 0x40, capabilities=0x0003, control=0x0008),
        placed_msi(0x50, vectors=8),
        placed_express(0x70, speed=4, width=4),
        placed_msix(0xB0, vectors=VECTORS, table=(0, 0x2000), pba=(0, 0x3000)),
        placed(
            ADVANCED_ERRORS,
            0x100,
            version=2,
            uncorrectable_severity=0x0046_2030,
            correctable_mask=0x0000_2000,
            control=0x0000_00A0,
        ),
        placed(SERIAL_NUMBER, 0x148, serial_low=0x5100_5A9C, serial_high=0x0025_3851),
        placed(SECONDARY_EXPRESS, 0x168),
        placed(LATENCY_TOLERANCE, 0x188),
    ),
)
