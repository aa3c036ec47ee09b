# SPDX-License-Identifier: MIT
"""Control messages of VMBus that make no sense: a guest drops each and works on.

Linux warns of them, and the lab ends a run of the real driver at a warning: only other guests are
put to these.
"""

from __future__ import annotations

from typing import Final

from protocol.vmbus import ChannelMessageType
from sim.conformance.case import GuestCase
from sim.conformance.guest_cases.malformed import works_on
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    LONG_NS,
    SETTLED_NS,
    administrator,
    after,
    do,
)

# CHANNELMSG_COUNT of 6.12: the first type that is none.
UNKNOWN: Final = (25).to_bytes(4, "little") + bytes(12)
# A rescind that ends where the channel's number would begin.
SHORT: Final = int(ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER).to_bytes(8, "little")
NOT_THE_REAL_ONE: Final = """
drivers = ["model"]

[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
"""


def at_work(message: bytes) -> str:
    """The host posts it to a guest at work, and ejects the function afterwards."""
    posted = f'{{ do = "forge-message", data = "{message.hex()}" }}'
    steps = (ASSIGNED, posted, after(SETTLED_NS), do("eject"), after(LONG_NS))
    return NOT_THE_REAL_ONE + administrator(*steps)


CASES: Final = (
    GuestCase(
        id="unknown-control-message-dropped",
        strength="linux",
        about="vmbus",
        given="A guest at work",
        when="the host posts a control message of a type that is none",
        then="it drops that and still answers an eject",
        source="vmbus_drv.c vmbus_on_msg_dpc(): unknown msgtype",
        scenario=at_work(UNKNOWN),
        check=works_on,
    ),
    GuestCase(
        id="short-control-message-dropped",
        strength="linux",
        about="vmbus",
        given="A guest at work",
        when="the host posts a rescind that ends before the number of its channel",
        then="it drops that and still answers an eject",
        source="vmbus_drv.c vmbus_on_msg_dpc(): message too short",
        scenario=at_work(SHORT),
        check=works_on,
    ),
)
