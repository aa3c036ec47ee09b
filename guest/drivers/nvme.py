# SPDX-License-Identifier: MIT
"""``nvme``: an NVMe controller's driver, with one queue per CPU on managed vectors.

Model: after drivers/nvme/host/pci.c; the admin queue and the controller's handshake are one
register check and one write, and the identify commands are one command per queue. Across
hibernation its vectors are freed and allocated again, by a work of its own in Linux
(nvme_reset_work()) and in resume here.
"""

from guest.drivers.steps import GIVE_BACK, QUIESCE, DriverTable, Match, Step

CLASS_NVME = 0x01_08_02
REG_CAP = 0x00
REG_CC = 0x14
CC_ENABLE = 0x0046_0001
ADMIN_TIMEOUT_MS = 60_000  # nvme_core.admin_timeout

BRING_UP = (
    Step("enable-device"),
    Step("set-master"),
    Step("check-alive", {"bar": 0, "offset": REG_CAP}),
    Step("alloc-vectors", {"min": 1, "spread": "managed", "kinds": "msix,msi"}),
    Step("request-irqs"),
    Step("write-register", {"bar": 0, "offset": REG_CC, "value": CC_ENABLE}),
    Step("submit-and-wait", {"timeout_ms": ADMIN_TIMEOUT_MS}),
)
TAKE_DOWN = (Step("write-register", {"bar": 0, "offset": REG_CC, "value": 0}), *GIVE_BACK)

NVME: DriverTable = DriverTable(
    name="nvme",
    matches=(Match(CLASS_NVME, 0xFF_FF_FF),),
    probe=BRING_UP,
    remove=(*QUIESCE, *TAKE_DOWN),
    suspend=(Step("stop-io"), *TAKE_DOWN),
    resume=(*BRING_UP, Step("start-io")),
)
