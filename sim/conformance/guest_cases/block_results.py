# SPDX-License-Identifier: MIT
"""What whoever asked for a configuration block is told, by the guest or by the program it is.

Not on the wire, but said all the same: a function of the driver's, or an order to a guest in
another process, comes back with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.vpci import MessageType, PciResponse
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.blocks import READ, WRITE, block_of
from sim.conformance.guest_cases.reading import premise, status_of
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    NIC,
    SETTLED_NS,
    actor,
    after,
    do,
)
from sim.conformance.seen import Seen

M = MessageType
NO_FAILURE: Final = 1  # STATUS_WAIT_1: not negative, and not 0 either
BLOCK: Final = 1
SIZE: Final = 8
TELLS: Final = {
    M.PCI_READ_BLOCK: frozenset({"hv_read_config_block", "read-block"}),
    M.PCI_WRITE_BLOCK: frozenset({"hv_write_config_block", "write-block"}),
}
"""Who says it, by the request: Linux's function, or a guest in another process."""


def answered_otherwise(message: M, step: str) -> str:
    """The host answers that request of the step with a status that is neither 0 nor a failure."""
    answer = PciResponse(NO_FAILURE).build() + bytes(SIZE)
    return (
        NIC
        + actor(
            "administrator",
            do("offer", "nic0"),
            ASSIGNED,
            do("answer-next", "nic0", message=message.name, data=answer.hex()),
        )
        + actor("driver", ASSIGNED, after(SETTLED_NS), step, after(SETTLED_NS))
    )


def told_of_failure(message: M) -> Callable[[Seen], None]:
    """A check: whoever made the request that was answered so is told of an error."""

    def check(seen: Seen) -> None:
        mine = [packet for packet in seen.sent(message) if block_of(packet) == BLOCK]
        premise(mine and status_of(seen, mine[-1]) == NO_FAILURE, f"asking {message.name}")
        if not any(error.function in TELLS[message] for error in seen.result.errors):
            raise Nonconforming("it was taken for a success", mine[-1].seq)

    return check


CASES: Final = (
    GuestCase(
        id="block-read-at-status-0-only",
        strength="linux",
        given="A function with configuration blocks",
        when="the host answers a read with a status that is neither 0 nor negative, and bytes",
        then="whoever reads is told of an error",
        source=f"{READ}: completion_status",
        scenario=answered_otherwise(
            M.PCI_READ_BLOCK, do("read-block", "nic0", block=BLOCK, size=SIZE)
        ),
        check=told_of_failure(M.PCI_READ_BLOCK),
    ),
    GuestCase(
        id="block-written-at-status-0-only",
        strength="linux",
        given="A function with configuration blocks",
        when="the host answers a write with a status that is neither 0 nor negative",
        then="whoever writes is told of an error",
        source=f"{WRITE}: completion_status",
        scenario=answered_otherwise(
            M.PCI_WRITE_BLOCK, do("write-block", "nic0", block=BLOCK, data=bytes(SIZE).hex())
        ),
        check=told_of_failure(M.PCI_WRITE_BLOCK),
    ),
)
