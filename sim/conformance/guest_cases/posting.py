# SPDX-License-Identifier: MIT
"""Where a guest posts its control messages to, and how often where nobody takes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from protocol.hypercall import HV_STATUS_INVALID_CONNECTION_ID, HVCALL_POST_MESSAGE
from protocol.link import HypercallMade
from protocol.vmbus import ChannelMessageType, VmbusChannelInitiateContact
from sim.conformance.case import ONCE, GuestCase, Nonconforming
from sim.conformance.guest_cases.opening import FROM_5_0, messages
from sim.conformance.guest_cases.reading import ASSIGNED, first, premise
from sim.conformance.guest_cases.scenarios import ARRIVAL, administrator, knobs
from sim.conformance.seen import Seen

T = ChannelMessageType
NAMED: Final = 7
TRIES: Final = 100
FIRST_DELAY_NS: Final = 1_000
DOUBLINGS: Final = 21
REFUSED: Final = knobs(messages_refused=TRIES) + administrator()


def versions_posted(seen: Seen) -> None:
    """Which version was asked for first tells how often the one above it was tried."""
    posted = seen.posted(T.CHANNELMSG_INITIATE_CONTACT)
    if not posted:
        raise Nonconforming("it gave up before a message was taken")
    stamped, contact = messages(seen, VmbusChannelInitiateContact, T.CHANNELMSG_INITIATE_CONTACT)[0]
    if contact.vmbus_version_requested != FROM_5_0[1]:
        version = contact.vmbus_version_requested
        raise Nonconforming(f"after {TRIES} refusals it asked for {version:#x}", stamped.seq)


def _refused_at(seen: Seen) -> Iterator[tuple[int, int]]:
    """Place and time of each post that was refused, and of the next."""
    for stamped in seen.trace:
        if isinstance(stamped.event, HypercallMade) and stamped.event.code == HVCALL_POST_MESSAGE:
            yield stamped.seq, stamped.at_ns
            if not stamped.event.result:
                return


def delays_double(seen: Seen) -> None:
    """Until they have doubled 21 times; less than a millisecond of them counts only at first."""
    posts = list(_refused_at(seen))
    premise(len(posts) > TRIES, "a message that was taken in the end")
    due_ns = FIRST_DELAY_NS
    for nth, ((_, before_ns), (seq, at_ns)) in enumerate(pairwise(posts[: TRIES + 1])):
        if abs(at_ns - before_ns - due_ns) > due_ns // 8:
            raise Nonconforming(f"it tried again after {at_ns - before_ns} ns", seq)
        due_ns *= 1 + (nth < DOUBLINGS)


def heard_everywhere(seen: Seen) -> None:
    answers = seen.posted(T.CHANNELMSG_VERSION_RESPONSE, "host-to-guest")
    premise(answers, "an answer to its contact")
    for seq, call in seen.events(HypercallMade):
        nobody = call.result == HV_STATUS_INVALID_CONNECTION_ID
        if seq > answers[0].seq and call.code == HVCALL_POST_MESSAGE and nobody:
            raise Nonconforming("it posted to a connection that nobody has", seq)


def comes_up(seen: Seen) -> None:
    first(seen.sent(*ASSIGNED), "RESOURCES_ASSIGNED")


CASES: Final = (
    GuestCase(
        id="status-is-sixteen-bits",
        strength="must",
        about="vmbus",
        given="A hypervisor whose results have a count of repetitions above the status",
        when="the guest makes its hypercalls",
        then="it comes up as ever: it looks at the low 16 bits alone",
        source="TLFS, Hypercall Outputs; asm-generic/mshyperv.h hv_result()",
        scenario=knobs(repetitions_told=1) + ARRIVAL,
        check=comes_up,
    ),
    GuestCase(
        id="messages-go-where-the-answer-says",
        strength="must",
        about="vmbus",
        given=f"A host whose answer to a contact at 5.3 names the connection {NAMED}",
        when="the guest goes on",
        then="it posts there: the host hears nothing elsewhere but contacts",
        source="connection.c vmbus_try_connection_id(): msg_conn_id; OpenVMM vmbus_server",
        scenario=knobs(message_connection_id=NAMED) + ARRIVAL,
        check=heard_everywhere,
    ),
    GuestCase(
        id="message-posted-100-times",
        strength="linux",
        about="vmbus",
        given=f"A hypervisor that has no buffer for {TRIES} messages",
        when="the guest makes contact",
        then="it tries all of them for 5.3, and the next one for 5.2",
        source="connection.c vmbus_post_msg(): retries",
        scenario=REFUSED,
        versions=ONCE,
        check=versions_posted,
    ),
    GuestCase(
        id="message-posted-after-delays",
        strength="linux",
        about="vmbus",
        given=f"A hypervisor that has no buffer for {TRIES} messages",
        when="the guest posts again and again",
        then="it waits 1 us at first, twice as long each time up to 2 s, and then 2 s each time",
        source="connection.c vmbus_post_msg(): usec",
        scenario=REFUSED,
        versions=ONCE,
        check=delays_double,
    ),
)
