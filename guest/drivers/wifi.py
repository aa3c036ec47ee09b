# SPDX-License-Identifier: MIT
"""``wifi``: a wireless adapter's driver, with one multi-MSI block that two drivers share.

Model: after ath11k (pci.c) on MHI: the adapter's own vectors are requested when it is probed, those
of the bus that brings it up afterwards, although they come first in the block. It keeps the block
across hibernation.
"""

from guest.drivers.steps import GIVE_BACK, QUIESCE, DriverTable, Match, Step

VENDOR_QUALCOMM = 0x17CB
CLASS_WIRELESS = 0x02_80_00
MHI_VECTORS = 1
COMMAND_TIMEOUT_MS = 60_000

WIFI: DriverTable = DriverTable(
    name="wifi",
    matches=(Match(CLASS_WIRELESS, 0xFF_FF_00, VENDOR_QUALCOMM),),
    probe=(
        Step("enable-device"),
        Step("set-master"),
        Step("alloc-vectors", {"min": 1, "spread": "none", "kinds": "msi"}),
        Step("request-irqs", {"from": MHI_VECTORS}),
        Step("request-irqs", {"to": MHI_VECTORS}),
        Step("submit-and-wait", {"timeout_ms": COMMAND_TIMEOUT_MS}),
    ),
    remove=(*QUIESCE, *GIVE_BACK),
    resume=(Step("submit-and-wait", {"timeout_ms": COMMAND_TIMEOUT_MS}), Step("start-io")),
)
