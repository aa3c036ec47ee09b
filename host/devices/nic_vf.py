# SPDX-License-Identifier: MIT
"""``nic-vf``: a NIC's virtual function, whose driver talks to the host by configuration blocks.

Model: shaped after mlx5 virtual functions, whose driver (``mlx5/core/lib/hv_vhca.c``) is the known
user of blocks in Linux: block 0 tells which agents the host wants, block n belongs to agent n.
"""

from collections.abc import Mapping

from host.devices.profile import BLOCK_BYTES_MAX, DeviceProfile, Identity
from host.devices.rows import endpoint, placed, placed_express, placed_msix
from protocol.pci_cap_rows import (
    ADDRESS_TRANSLATION,
    ALTERNATIVE_ROUTING,
    POWER_MANAGEMENT,
    VENDOR_SPECIFIC,
)
from protocol.pci_regs import Bar

AGENTS = 4
_STATISTICS = 1 << 1  # agent 1: the host wants statistics

# Block 0 begins with two 32-bit masks of agents: those the host knows, those it has turned on.
BLOCKS: Mapping[int, bytes] = {
    0: (_STATISTICS << 32 | _STATISTICS).to_bytes(BLOCK_BYTES_MAX, "little"),
    **{agent: bytes(BLOCK_BYTES_MAX) for agent in range(1, AGENTS)},
}

NIC_VF: DeviceProfile = endpoint(
    "nic-vf",
    Identity(
        v_id=0x15B3,  # Mellanox
        d_id=0x1018,  # ConnectX-5 virtual function
        rev=0x00,
        prog_intf=0x00,
        subclass=0x00,  # Ethernet
        base_class=0x02,
        subsystem_id=0x0043_15B3,
    ),
    bars=(Bar(0, 1 << 20, 64, prefetchable=True),),
    capabilities=(
        placed_express(0x60, speed=3, width=8),
        placed_msix(0x9C, vectors=64, table=(0, 0x2000), pba=(0, 0x3000)),
        placed(VENDOR_SPECIFIC, 0xC0, length=0x18),
        placed(POWER_MANAGEMENT, 0xE0, capabilities=0x0003, control=0x0008),
        placed(ALTERNATIVE_ROUTING, 0x100),
        placed(ADDRESS_TRANSLATION, 0x150, capabilities=0x0020),
    ),
    blocks=BLOCKS,
)
