# SPDX-License-Identifier: MIT
"""Which control message a guest takes for the answer that it waits for, and what it leaves alone.

The host takes 10 ms over each message, so that another one can come between. Channels and GPADLs
are numbered as a host of ours and Linux number them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from host.channel_book import FIRST_RELID
from protocol.hypercall import (
    HV_STATUS_INVALID_HYPERCALL_INPUT,
    HV_STATUS_INVALID_PARAMETER,
    HVCALL_POST_MESSAGE,
)
from protocol.link import HypercallMade, MessagePosted
from protocol.vmbus import (
    VMBUS_MESSAGE_CONNECTION_ID_4,
    ChannelMessageType,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlTorndown,
    VmbusChannelMessageHeader,
    VmbusChannelOpenResult,
    VmbusChannelVersionResponse,
)
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.opening import FIRST_HANDLE
from sim.conformance.guest_cases.reading import premise, published
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    SETTLED_NS,
    UNBIND,
    actor,
    administrator,
    after,
    do,
    forge_message,
    knobs,
    slow_messages,
    wait,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

T = ChannelMessageType
SLOW_NS: Final = 10_000_000  # of each message
HALF_NS: Final = SLOW_NS // 2
RELID: Final = FIRST_RELID
CREATED: Final = (
    VmbusChannelGpadlCreated(child_relid=RELID, gpadl=FIRST_HANDLE + 1),
    VmbusChannelGpadlCreated(child_relid=RELID + 1, gpadl=FIRST_HANDLE),
)
OPENED: Final = (
    VmbusChannelOpenResult(child_relid=RELID, openid=RELID + 1),
    VmbusChannelOpenResult(child_relid=RELID + 1, openid=RELID),
)
# Contact and offers come first; the GPADL is the third message and the open the fourth.
OTHERS_ANSWERED: Final = slow_messages(SLOW_NS) + administrator(
    after(2 * SLOW_NS + HALF_NS),
    *map(forge_message, CREATED),
    after(SLOW_NS),
    *map(forge_message, OPENED),
    after(SETTLED_NS),
)
OTHER_TORN_DOWN: Final = (
    slow_messages(SLOW_NS)
    + administrator()
    + actor("user", ASSIGNED, do("unbind-bus"), do("bind-bus"), after(SETTLED_NS))
    + actor(
        "meddler",
        wait("channel-closed", after_ns=HALF_NS),
        forge_message(VmbusChannelGpadlTorndown(gpadl=FIRST_HANDLE + 1)),
    )
)
# The host knows 5.2, and what it answers of itself to 5.3 is a refusal.
CONTACT_ANSWERED: Final = (
    knobs(highest_vmbus_version='"5.2"')
    + slow_messages(SLOW_NS)
    + administrator(
        after(HALF_NS),
        forge_message(
            VmbusChannelVersionResponse(
                version_supported=1, msg_conn_id=VMBUS_MESSAGE_CONNECTION_ID_4
            )
        ),
        after(SETTLED_NS),
    )
)
NO_MORE: Final = administrator(
    ASSIGNED,
    forge_message(VmbusChannelMessageHeader(msgtype=T.CHANNELMSG_ALLOFFERS_DELIVERED)),
    after(SETTLED_NS),
)
ILL_FORMED: Final = (HV_STATUS_INVALID_PARAMETER, HV_STATUS_INVALID_HYPERCALL_INPUT)


def _answers(seen: Seen, message: T) -> list[Stamped]:
    return seen.posted(message, "host-to-guest")


def _own_after(answers: Sequence[Stamped], forged: int, what: str) -> int:
    """The place of the answer behind those that are somebody else's."""
    premise(len(answers) > forged, what)
    return answers[forged].seq


def _goes_on(places: Iterable[int], own: int) -> None:
    """Raise Nonconforming unless one of these places is behind the guest's own answer."""
    if not any(place > own for place in places):
        raise Nonconforming("it did not go on when its own answer had come", own)


def gpadl_matched(seen: Seen) -> None:
    answers = _answers(seen, T.CHANNELMSG_GPADL_CREATED)
    own = _own_after(answers, len(CREATED), "an answer to its GPADL")
    opens = [stamped.seq for stamped in seen.posted(T.CHANNELMSG_OPENCHANNEL)]
    for seq in opens:
        if seq < own:
            what = "it opened the channel before its own GPADL had been created"
            raise Nonconforming(what, seq)
    _goes_on(opens, own)


def open_matched(seen: Seen) -> None:
    answers = _answers(seen, T.CHANNELMSG_OPENCHANNEL_RESULT)
    own = _own_after(answers, len(OPENED), "an answer to its open")
    packets = [seq for seq, _ in published(seen)]
    for seq in packets:
        if seq < own:
            raise Nonconforming("it sent a packet before its own open was answered", seq)
    _goes_on(packets, own)


def teardown_matched(seen: Seen) -> None:
    asked = seen.posted(T.CHANNELMSG_GPADL_TEARDOWN)
    own = _own_after(_answers(seen, T.CHANNELMSG_GPADL_TORNDOWN), 1, "an answer to its teardown")
    shared = [stamped.seq for stamped in seen.posted(T.CHANNELMSG_GPADL_HEADER)]
    for seq in shared:
        if asked[0].seq < seq < own:
            what = "it went on before its own GPADL had been torn down"
            raise Nonconforming(what, seq)
    _goes_on(shared, own)


def any_answer_taken(seen: Seen) -> None:
    """The first is what somebody forged, the second the host's own."""
    answers = _answers(seen, T.CHANNELMSG_VERSION_RESPONSE)
    premise(len(answers) > 1, "a second answer to its contact")
    for stamped in seen.posted(T.CHANNELMSG_INITIATE_CONTACT)[1:]:
        raise Nonconforming("it made contact again", stamped.seq)
    asked = seen.posted(T.CHANNELMSG_REQUESTOFFERS)
    if not asked or asked[0].seq > answers[1].seq:
        raise Nonconforming("it waited for another answer", answers[0].seq)


def nothing_posted_since(message: T) -> Callable[[Seen], None]:
    """A check: from the last such message of the host on the guest says nothing."""

    def check(seen: Seen) -> None:
        told = _answers(seen, message)
        premise(told, message.name)
        for stamped in seen.trace[told[-1].seq :]:
            event = stamped.event
            if isinstance(event, MessagePosted) and event.direction == "guest-to-host":
                raise Nonconforming("it posted a message", stamped.seq)
        for seq, _ in published(seen):
            if seq > told[-1].seq:
                raise Nonconforming("it sent a packet", seq)

    return check


def well_formed(seen: Seen) -> None:
    for seq, call in seen.events(HypercallMade):
        if call.code == HVCALL_POST_MESSAGE and call.result in ILL_FORMED:
            raise Nonconforming(f"a message was refused with HV_STATUS {call.result:#x}", seq)


CASES: Final = (
    GuestCase(
        id="messages-well-formed",
        strength="must",
        about="vmbus",
        given="A guest that comes up and is taken off its bus",
        when="it posts a message",
        then="that has 240 bytes at most, and so the hypervisor takes it",
        source="TLFS HvCallPostMessage; connection.c vmbus_post_msg()",
        scenario=UNBIND,
        check=well_formed,
    ),
    GuestCase(
        id="any-contact-answer-taken",
        strength="linux",
        about="vmbus",
        given="A guest that waits for the answer to its contact",
        when="one comes that says yes, and behind it the host's own no",
        then="it goes by the first: an answer does not say which contact it is for",
        source="channel_mgmt.c vmbus_onversion_response()",
        scenario=CONTACT_ANSWERED,
        check=any_answer_taken,
    ),
    GuestCase(
        id="end-of-offers-not-answered",
        strength="linux",
        about="vmbus",
        given="A guest at work",
        when="it hears that there are no more offers",
        then="it does nothing",
        source="channel_mgmt.c vmbus_onoffers_delivered()",
        scenario=NO_MORE,
        check=nothing_posted_since(T.CHANNELMSG_ALLOFFERS_DELIVERED),
    ),
    GuestCase(
        id="gpadl-answer-matched",
        strength="linux",
        about="vmbus",
        given="A guest that has told the host its rings",
        when="another GPADL of its channel is said to be created, and this one of another channel",
        then="it goes on waiting for its own, and opens the channel when that has come",
        source="channel_mgmt.c vmbus_ongpadl_created()",
        scenario=OTHERS_ANSWERED,
        check=gpadl_matched,
    ),
    GuestCase(
        id="open-answer-matched",
        strength="linux",
        about="vmbus",
        given="A guest that opens its channel",
        when="another open of its channel is answered, and this one of another channel",
        then="it goes on waiting for its own, and uses the channel when that has come",
        source="channel_mgmt.c vmbus_onopen_result()",
        scenario=OTHERS_ANSWERED,
        check=open_matched,
    ),
    GuestCase(
        id="teardown-answer-matched",
        strength="linux",
        about="vmbus",
        given="A guest that tears its rings' GPADL down and will open the channel again",
        when="another GPADL is said to be torn down; such an answer names no channel",
        then="it goes on waiting for its own, and shares rings again when that has come",
        source="channel_mgmt.c vmbus_ongpadl_torndown()",
        scenario=OTHER_TORN_DOWN,
        check=teardown_matched,
    ),
)
