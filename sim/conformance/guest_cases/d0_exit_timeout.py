# SPDX-License-Identifier: MIT
"""What comes of a D0 exit that is never answered, where the channel stays: on the way to sleep."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.d0_exit import CLOSE, EXIT_NS, LEAVE, left_d0
from sim.conformance.guest_cases.reading import premise, since
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
)
from sim.conformance.seen import Seen

WANTS_ANSWER: Final = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
CANNOT_SLEEP: Final = administrator(ASSIGNED, do("ignore-next", message="PCI_BUS_D0EXIT")) + actor(
    "user", ASSIGNED, after(SETTLED_NS), '{ do = "suspend" }', after(2 * EXIT_NS)
)


def stays_open(seen: Seen) -> None:
    exit_ = left_d0(seen)
    for closed in seen.posted(CLOSE):
        if closed.seq > exit_.seq:
            raise Nonconforming("the channel was closed as after an answer", closed.seq)


def same_id_again(seen: Seen) -> None:
    exit_ = left_d0(seen)
    later = [packet for packet in since(seen.sent(), exit_.seq) if packet.flags == WANTS_ANSWER]
    premise(later, "a request on the same channel")
    if later[0].transaction_id != exit_.transaction_id:
        what = f"the next request has the id {later[0].transaction_id}"
        raise Nonconforming(f"{what}, D0 exit had {exit_.transaction_id}", later[0].seq)


CASES: Final = (
    GuestCase(
        id="unanswered-d0-exit-ends-suspending",
        strength="linux",
        given="A host that never answers D0 exit",
        when="the machine is to hibernate",
        then="nothing comes of that: the channel stays open",
        source=f"{LEAVE}: -ETIMEDOUT; hv_pci_suspend()",
        scenario=CANNOT_SLEEP,
        check=stays_open,
    ),
    GuestCase(
        id="id-taken-back-at-time-out",
        strength="linux",
        given="A machine that has not gone to sleep since D0 exit was never answered",
        when="the guest sends its next request",
        then="that has the id which D0 exit had",
        source=f"{LEAVE}: vmbus_request_addr_match() when the wait has timed out",
        scenario=CANNOT_SLEEP,
        check=same_id_again,
    ),
)
