# SPDX-License-Identifier: MIT
"""``gpu``: an accelerator's driver. One vector, much memory, no commands at start.

Model: after nouveau, which keeps its MSI across hibernation.
"""

from guest.drivers.steps import GIVE_BACK, QUIESCE, DriverTable, Match, Step

CLASS_DISPLAY = 0x03_00_00
MEMORY_BAR = 1
FIRST_WORD = 0x1BAD_F00D  # what the driver leaves in the device's memory to see that it is there

GPU: DriverTable = DriverTable(
    name="gpu",
    matches=(Match(CLASS_DISPLAY, 0xFF_00_00),),
    probe=(
        Step("enable-device"),
        Step("set-master"),
        Step("check-alive", {"bar": 0, "offset": 0}),
        Step("alloc-vectors", {"min": 1, "max": 1, "spread": "none", "kinds": "msix,msi"}),
        Step("request-irqs"),
        Step("write-register", {"bar": MEMORY_BAR, "offset": 0, "value": FIRST_WORD}),
    ),
    remove=(*QUIESCE, *GIVE_BACK),
    resume=(
        Step("check-alive", {"bar": 0, "offset": 0}),
        Step("write-register", {"bar": MEMORY_BAR, "offset": 0, "value": FIRST_WORD}),
        Step("start-io"),
    ),
)
