# SPDX-License-Identifier: MIT
"""``nic-vf``: a network adapter's virtual function that talks to its PF driver by blocks.

Model: after mlx5, the user of config blocks in Linux (mlx5/core/lib/hv_vhca.c): the control block
is read at start, stale blocks are read again from a workqueue. Across hibernation it is unloaded
and loaded again (mlx5_suspend(), mlx5_resume()).
"""

from guest.drivers.steps import GIVE_BACK, QUIESCE, DriverTable, Match, Step

VENDOR_MELLANOX = 0x15B3
CLASS_NETWORK = 0x02_00_00
CONTROL_BLOCK = 0
STATISTICS_BLOCK = 1
BLOCK_BYTES = 128  # HV_CONFIG_BLOCK_SIZE_MAX
COMMAND_TIMEOUT_MS = 60_000  # MLX5_TO_CMD_MS

LOAD = (
    Step("enable-device"),
    Step("set-master"),
    Step("check-alive", {"bar": 0, "offset": 0}),
    Step("alloc-vectors", {"min": 1, "spread": "none", "kinds": "msix"}),
    Step("request-irqs"),
    Step("submit-and-wait", {"timeout_ms": COMMAND_TIMEOUT_MS}),
    Step("register-invalidate"),
    Step("read-block", {"block": CONTROL_BLOCK, "length": BLOCK_BYTES}),
    Step("write-block", {"block": STATISTICS_BLOCK, "value": 1}),
)
UNLOAD = (Step("unregister-invalidate"), Step("stop-io"), *GIVE_BACK)

NIC_VF: DriverTable = DriverTable(
    name="nic-vf",
    matches=(Match(CLASS_NETWORK, 0xFF_00_00, VENDOR_MELLANOX),),
    probe=LOAD,
    remove=(Step("unregister-invalidate"), *QUIESCE, *GIVE_BACK),
    suspend=UNLOAD,
    resume=(*LOAD, Step("start-io")),
)
