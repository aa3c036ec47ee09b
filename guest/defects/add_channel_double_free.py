# SPDX-License-Identifier: MIT
"""A device whose registration failed was freed twice.

vmbus_device_register() gives the device back when it fails, and the release frees it. Until
f92a4b50f0bd vmbus_add_channel_work() freed it once more.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="add-channel-double-free",
    subject="Drivers: hv: vmbus: fix double free in the error path of vmbus_add_channel_work()",
    commit="f92a4b50f0bd",
    commit_check="verified",
    cls="E",
    fixed="2022-11 / v6.1",
    scenario="arrival",
    expect=None,
    why=(
        "Registration cannot fail in the model. In Linux the release that follows a failure "
        "trips over BUG_ON(!channel->rescind) in hv_process_channel_removal(), with the fix "
        "as without it, so nothing tells the two apart."
    ),
)
