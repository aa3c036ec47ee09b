# SPDX-License-Identifier: MIT
"""Leaving D0 and letting go of a bus."""

from __future__ import annotations

from typing import Final

from protocol.link import UnclaimedAccess
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.d0_entry import comes_up_anew
from sim.conformance.guest_cases.reading import (
    QUERY_THEN_LIST,
    accesses,
    channel_closed,
    premise,
    reopened,
    since,
    succeeded,
    wslot_of,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    SECOND,
    SETTLED_NS,
    UNBIND,
    actor,
    administrator,
    after,
    do,
)
from sim.conformance.seen import Seen, SeenPacket, expect_all, expect_names, first_other

M = MessageType
CLOSE: Final = ChannelMessageType.CHANNELMSG_CLOSECHANNEL
EXIT_NS: Final = 10_000_000_000
EXIT_PATIENCE_NS: Final = 1_000_000_000  # a jiffy would do
LEAVE: Final = "pci-hyperv.c hv_pci_bus_exit()"
UNSUCCESSFUL: Final = 0xC0000001


def left_d0(seen: Seen) -> SeenPacket:
    """The first D0 exit."""
    exits = seen.sent(M.PCI_BUS_D0EXIT)
    premise(exits, "D0 exit")
    return exits[0]


def closed_at(seen: Seen) -> int:
    """The place where the channel was closed first."""
    closed = seen.posted(CLOSE)
    premise(closed, "closing the channel")
    return closed[0].seq


def exit_before_close(seen: Seen) -> None:
    closed = closed_at(seen)
    if not any(packet.seq < closed for packet in seen.sent(M.PCI_BUS_D0EXIT)):
        raise Nonconforming("the channel was closed in D0", closed)


def no_access_after_exit(seen: Seen) -> None:
    exit_ = left_d0(seen)
    for seq, _ in (*accesses(seen), *seen.events(UnclaimedAccess)):
        if seq > exit_.seq:
            raise Nonconforming("the configuration window was touched after D0 exit", seq)


def exit_wants_answer(seen: Seen) -> None:
    expect_all(seen.sent(M.PCI_BUS_D0EXIT), lambda p: p.flags == 1, "asks for no completion")


def closed_when_answered(seen: Seen) -> None:
    answer = seen.answer_to(left_d0(seen))
    closed = closed_at(seen)
    if answer is None or answer.seq > closed:
        raise Nonconforming("the channel was closed before D0 exit was answered", closed)


def closed_all_the_same(seen: Seen) -> None:
    exit_ = left_d0(seen)
    answer = seen.answer_to(exit_)
    premise(answer is not None and succeeded(seen, exit_) is None, "a refused D0 exit")
    channel_closed(seen)
    closed_when_answered(seen)
    gave_up = seen.posted(CLOSE)[0].at_ns - exit_.at_ns >= EXIT_NS
    if gave_up or len(seen.sent(M.PCI_BUS_D0EXIT)) > 1:
        raise Nonconforming("the refusal was not taken for the answer", closed_at(seen))


def released_nothing(seen: Seen) -> None:
    seen.none(M.PCI_RESOURCES_RELEASED)


def gives_up_the_answer(seen: Seen) -> None:
    exit_ = left_d0(seen)
    channel_closed(seen)
    closed = seen.posted(CLOSE)
    waited_ns = closed[0].at_ns - exit_.at_ns
    if not EXIT_NS <= waited_ns <= EXIT_NS + EXIT_PATIENCE_NS:
        raise Nonconforming(f"it waited {waited_ns} ns for the answer to D0 exit", closed[0].seq)


def released_from_above(seen: Seen) -> None:
    released = seen.sent(M.PCI_RESOURCES_RELEASED)
    slots = [wslot_of(packet) for packet in released]
    if slots != [SECOND, 0]:
        at = first_other(released, slots, [SECOND, 0])
        raise Nonconforming(f"resources were released for slots {slots}", at)


def late_answer_taken(seen: Seen) -> None:
    """The host answered no version query after the bus was opened again."""
    sent = since(seen.sent(), reopened(seen))
    premise(sent, "a version query")
    late = seen.answer_to(sent[0])
    waited = late is not None and late.at_ns - sent[0].at_ns >= EXIT_NS // 2
    premise(waited, "a version query that waits for its answer")
    expect_names(sent, QUERY_THEN_LIST, "after the late answer it had sent")


CASES: Final = (
    GuestCase(
        id="d0-left-at-unbind",
        strength="must",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="it leaves D0 before it closes the channel",
        source=f"{LEAVE}; a host that finds the bus in D0 refuses the next D0 entry",
        scenario=UNBIND,
        check=exit_before_close,
    ),
    GuestCase(
        id="no-access-after-d0-exit",
        strength="must",
        given="A guest that has left D0",
        when="it lets the bus go",
        then="it does not touch configuration space any more",
        source="OpenVMM VSP unmaps the window at D0 exit",
        scenario=UNBIND,
        check=no_access_after_exit,
    ),
    GuestCase(
        id="channel-closed-at-unbind",
        strength="must",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="it closes the channel",
        source="pci-hyperv.c hv_pci_remove()",
        scenario=UNBIND,
        check=channel_closed,
    ),
    GuestCase(
        id="d0-exit-wants-answer",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="D0 exit asks for a completion; FreeBSD's does not",
        source=LEAVE,
        scenario=UNBIND,
        check=exit_wants_answer,
    ),
    GuestCase(
        id="channel-closed-when-d0-left",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="the channel is closed when D0 exit has been answered",
        source=LEAVE,
        scenario=UNBIND,
        check=closed_when_answered,
    ),
    GuestCase(
        id="unbind-releases-nothing",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="no RESOURCES_RELEASED is sent: the functions are forgotten first",
        source=LEAVE,
        scenario=UNBIND,
        check=released_nothing,
    ),
    GuestCase(
        id="unanswered-d0-exit",
        strength="linux",
        given="A host that never answers D0 exit",
        when="the driver is taken off the bus",
        then="the guest waits for ten seconds and closes the channel",
        source=LEAVE,
        scenario=administrator(SETTLED, do("ignore-next", message="PCI_BUS_D0EXIT"))
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), after(2 * EXIT_NS)),
        check=gives_up_the_answer,
    ),
    GuestCase(
        id="refused-d0-exit-does-no-harm",
        strength="linux",
        given="A host that answers D0 exit with a failure",
        when="the driver is taken off the bus",
        then="the guest closes the channel at once, as after a success",
        source=f"{LEAVE}: the status is not looked at",
        scenario=administrator(
            SETTLED, do("fail-next", message="PCI_BUS_D0EXIT", status=UNSUCCESSFUL)
        )
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), after(SETTLED_NS)),
        check=closed_all_the_same,
    ),
    GuestCase(
        id="late-answer-meets-its-id-again",
        strength="linux",
        given="A guest that has given up waiting for the answer to D0 exit and is back on the bus",
        when="that answer comes while a version query is waiting under the same id",
        then="the query is taken to be answered",
        source="channel.c vmbus_request_addr_match(): an id is all that tells requests apart",
        scenario=administrator(
            SETTLED,
            do("ignore-next", message="PCI_BUS_D0EXIT"),
            after(EXIT_NS),
            do("ignore-next", message="PCI_QUERY_PROTOCOL_VERSION"),
            after(EXIT_NS),
            do("answer-late", message="PCI_BUS_D0EXIT", data="00000000"),
            after(SETTLED_NS),
        )
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), do("bind-bus")),
        check=late_answer_taken,
    ),
    GuestCase(
        id="late-answer-to-d0-exit",
        strength="linux",
        given="A guest that has given up waiting for the answer to D0 exit",
        when="the driver is put back on the bus and the host has answered meanwhile",
        then="it comes up as if for the first time",
        source=f"{LEAVE}: vmbus_request_addr_match() takes the id back",
        scenario=administrator(SETTLED, do("stall", ns=EXIT_NS + EXIT_PATIENCE_NS))
        + actor("user", SETTLED, do("unbind-bus"), after(EXIT_NS), do("bind-bus"), after(EXIT_NS)),
        check=comes_up_anew,
    ),
)
