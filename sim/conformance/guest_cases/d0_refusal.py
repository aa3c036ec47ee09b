# SPDX-License-Identifier: MIT
"""A host that refuses D0: Linux lets go of everything and tries once more."""

from __future__ import annotations

from typing import Final

from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.d0_entry import ENTER, entries
from sim.conformance.guest_cases.d0_exit import (
    EXIT_NS,
    UNSUCCESSFUL,
    gives_up_the_answer,
    left_d0,
    released_from_above,
)
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    channel_closed,
    first,
    premise,
    reopened,
    since,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import SETTLED_NS, TWO, actor, administrator, after, do
from sim.conformance.seen import Seen, expect_all, expect_count, expect_names

M = MessageType
RETRY: Final = [M.PCI_RESOURCES_RELEASED.name, M.PCI_BUS_D0EXIT.name, M.PCI_BUS_D0ENTRY.name]
REFUSED: Final = "after the refusal it sent"
REFUSES_D0_AGAIN: Final = """
[needs]
profile = ["hyperv"]
why = "the openvmm profile never refuses D0"
"""
INVALID_DEVICE_STATE: Final = 0xC0000184


def refused_d0(times: int, status: int = INVALID_DEVICE_STATE) -> str:
    """A host that refuses D0 so often."""
    step = do("fail-next", message="PCI_BUS_D0ENTRY", status=status)
    return administrator(*[step] * times, after(SETTLED_NS))


def no_resources(seen: Seen) -> None:
    entry = first(entries(seen), "D0 entry")
    refused = seen.answer_to(entry)
    premise(refused, "a D0 entry that wants an answer")
    for packet in since(seen.sent(*ASSIGNED), refused.seq if refused else 0):
        raise Nonconforming(f"{packet.name} was sent though D0 was refused", packet.seq)


def released_and_retried(seen: Seen) -> None:
    entry = first(entries(seen), "D0 entry")
    expect_names(since(seen.sent(), entry.seq), RETRY, REFUSED)


def starts_over(seen: Seen) -> None:
    again = reopened(seen)
    entered = [entry for entry in entries(seen) if entry.seq > again]
    entry = first(entered, "D0 entry")
    expect_names(since(seen.sent(), entry.seq), RETRY, REFUSED)


def released_before_retry(seen: Seen) -> None:
    """Every release stands between the refused D0 entry and the D0 exit."""
    premise(len(entries(seen)) > 1, "a second D0 entry")
    refused, again = entries(seen)[:2]
    left = left_d0(seen)
    premise(refused.seq < left.seq < again.seq, "leaving D0 between the two")
    released_from_above(seen)
    expect_all(
        seen.sent(M.PCI_RESOURCES_RELEASED),
        lambda p: refused.seq < p.seq < left.seq,
        "was not sent between the refusal and D0 exit",
    )


def no_retry_without_answer(seen: Seen) -> None:
    """Linux closes the channel then: the refusal is all that it has."""
    again = since(entries(seen), left_d0(seen).seq)
    if again:
        raise Nonconforming("D0 entry was sent though D0 exit was not answered", again[0].seq)
    gives_up_the_answer(seen)


def retried_once(seen: Seen) -> None:
    expect_count(entries(seen), 2, "D0 entries were sent")
    channel_closed(seen)


CASES: Final = (
    GuestCase(
        id="refused-d0-no-resources",
        strength="must",
        given="A host that refuses D0 again and again",
        when="the guest has tried",
        then="it assigns no resources",
        source=ENTER,
        scenario=refused_d0(4),
        check=no_resources,
    ),
    GuestCase(
        id="crash-kernel-starts-over",
        strength="linux",
        given="A guest that has crashed in D0 with its resources assigned",
        when="a crash kernel boots and is refused D0",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}; commit c81992e7f4aa",
        scenario=administrator()
        + actor("fate", SETTLED, '{ do = "crash" }', '{ do = "boot" }', after(SETTLED_NS))
        + REFUSES_D0_AGAIN,
        check=starts_over,
    ),
    GuestCase(
        id="refused-d0-tried-again",
        strength="linux",
        given="A host that refuses D0 once, as after a crash",
        when="the guest hears of it",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}; commit c81992e7f4aa",
        scenario=refused_d0(1),
        check=released_and_retried,
    ),
    GuestCase(
        id="any-refusal-of-d0-tried-again",
        strength="linux",
        given="A host that refuses D0 once, for another reason than that the bus is in D0",
        when="the guest hears of it",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}: any negative status",
        scenario=refused_d0(1, UNSUCCESSFUL),
        check=released_and_retried,
    ),
    GuestCase(
        id="refused-d0-tried-twice",
        strength="linux",
        given="A host that refuses D0 again and again",
        when="the guest has been refused twice",
        then="it tries no more and closes the channel",
        source=ENTER,
        scenario=refused_d0(4),
        check=retried_once,
    ),
    GuestCase(
        id="retry-releases-from-above",
        strength="linux",
        given="A host that refuses D0 once, for a bus with two functions",
        when="the guest hears of it",
        then="it releases both, the higher slot first, before it leaves D0",
        source=f"{ENTER}: wslot_res_allocated; hv_send_resources_released()",
        scenario=TWO + refused_d0(1),
        check=released_before_retry,
    ),
    GuestCase(
        id="retry-waits-ten-seconds",
        strength="linux",
        given="A host that refuses D0 and never answers the D0 exit that follows",
        when="the guest has waited for ten seconds",
        then="it closes the channel and does not enter D0 again",
        source=f"{ENTER}; hv_pci_bus_exit()",
        scenario=administrator(
            do("ignore-next", message="PCI_BUS_D0EXIT"),
            do("fail-next", message="PCI_BUS_D0ENTRY", status=INVALID_DEVICE_STATE),
            after(2 * EXIT_NS),
        ),
        check=no_retry_without_answer,
    ),
)
