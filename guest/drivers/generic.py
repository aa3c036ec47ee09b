# SPDX-License-Identifier: MIT
"""``generic``: a driver for any function: all vectors it can have, one command on each.

It keeps its vectors across hibernation.
"""

from guest.drivers.steps import GIVE_BACK, QUIESCE, DriverTable, Match, Step

COMMAND_TIMEOUT_MS = 60_000

GENERIC: DriverTable = DriverTable(
    name="generic",
    matches=(Match(0, 0),),
    probe=(
        Step("enable-device"),
        Step("set-master"),
        Step("alloc-vectors", {"min": 1, "spread": "none", "kinds": "msix,msi"}),
        Step("request-irqs"),
        Step("submit-and-wait", {"timeout_ms": COMMAND_TIMEOUT_MS}),
    ),
    remove=(*QUIESCE, *GIVE_BACK),
    resume=(Step("submit-and-wait", {"timeout_ms": COMMAND_TIMEOUT_MS}), Step("start-io")),
)
