# SPDX-License-Identifier: MIT
"""How long a guest waits for VMBus: for answers, for offers, and for a host that says nothing."""

from __future__ import annotations

from typing import Final

from protocol.link import Direction, MessagePosted
from protocol.vmbus import ChannelMessageType
from sim.conformance.case import ONCE, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import premise
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    HIBERNATE,
    SETTLED_NS,
    actor,
    administrator,
    after,
    knobs,
    slow_messages,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

T = ChannelMessageType
SECOND_NS: Final = 1_000_000_000
SLOW_NS: Final = 500 * SECOND_NS  # nobody waits so long who counts
OFFERS_NS: Final = 10 * SECOND_NS
UNLOAD_NS: Final = 100 * SECOND_NS
LOOK_NS: Final = 10_000_000
NOTICED_NS: Final = 2 * LOOK_NS  # one look finds the answer, and the next one that it was found
SLACK_NS: Final = 20_000_000
# Longer than a look, and no whole number of them.
CRASH_ANSWER_NS: Final = 5 * SECOND_NS + LOOK_NS // 2
SLOW: Final = slow_messages(SLOW_NS) + HIBERNATE
CRASHES: Final = administrator(ASSIGNED) + actor(
    "user", ASSIGNED, '{ do = "crash" }', '{ do = "boot" }', after(SETTLED_NS)
)
WAITED_FOR: Final = (
    (T.CHANNELMSG_INITIATE_CONTACT, T.CHANNELMSG_VERSION_RESPONSE),
    (T.CHANNELMSG_GPADL_HEADER, T.CHANNELMSG_GPADL_CREATED),
    (T.CHANNELMSG_OPENCHANNEL, T.CHANNELMSG_OPENCHANNEL_RESULT),
)


def _first(seen: Seen, message: T, direction: Direction = "guest-to-host") -> Stamped:
    found = seen.posted(message, direction)
    premise(found, message.name)
    return found[0]


def _silent_until_answered(seen: Seen, asked: Stamped, answer: T) -> None:
    """Raise Nonconforming for what the guest posts while it should wait.

    A host that has been left has no answer.
    """
    answers = seen.posted(answer, "host-to-guest")
    end = answers[0].seq if answers else len(seen.trace)
    for stamped in seen.trace[asked.seq + 1 : end]:
        event = stamped.event
        if isinstance(event, MessagePosted) and event.direction == "guest-to-host":
            waited_ns = stamped.at_ns - asked.at_ns
            raise Nonconforming(f"it went on after {waited_ns} ns", stamped.seq)


def _contacts_after(seen: Seen, before: Stamped) -> list[Stamped]:
    return [s for s in seen.posted(T.CHANNELMSG_INITIATE_CONTACT) if s.seq > before.seq]


def _contact_after(seen: Seen, before: Stamped) -> Stamped:
    later = _contacts_after(seen, before)
    premise(later, "a second contact")
    return later[0]


def answers_waited_for(seen: Seen) -> None:
    for request, answer in WAITED_FOR:
        _silent_until_answered(seen, _first(seen, request), answer)


def unload_waited_for(seen: Seen) -> None:
    asked = _first(seen, T.CHANNELMSG_UNLOAD)
    _silent_until_answered(seen, asked, T.CHANNELMSG_UNLOAD_RESPONSE)
    answered = _first(seen, T.CHANNELMSG_UNLOAD_RESPONSE, "host-to-guest")
    if not _contacts_after(seen, answered):
        raise Nonconforming("it never made contact again", answered.seq)


def offers_waited_for(seen: Seen) -> None:
    """What follows the second request for offers is a resumed device's doing."""
    asked = seen.posted(T.CHANNELMSG_REQUESTOFFERS)
    premise(len(asked) > 1, "asking for offers again")
    shared = [s for s in seen.posted(T.CHANNELMSG_GPADL_HEADER) if s.seq > asked[1].seq]
    if not shared:
        raise Nonconforming("it never went on without the offers", asked[1].seq)
    waited_ns = shared[0].at_ns - asked[1].at_ns
    if not OFFERS_NS <= waited_ns <= OFFERS_NS + SLACK_NS:
        raise Nonconforming(f"it went on after {waited_ns} ns", shared[0].seq)


def unload_given_up(seen: Seen) -> None:
    asked = _first(seen, T.CHANNELMSG_UNLOAD)
    booted = _contact_after(seen, asked)
    waited_ns = booted.at_ns - asked.at_ns
    if not UNLOAD_NS <= waited_ns <= UNLOAD_NS + SLACK_NS:
        raise Nonconforming(f"it waited {waited_ns} ns", booted.seq)


def unload_noticed(seen: Seen) -> None:
    asked = _first(seen, T.CHANNELMSG_UNLOAD)
    booted = _contact_after(seen, asked)
    answered = _first(seen, T.CHANNELMSG_UNLOAD_RESPONSE, "host-to-guest")
    if not answered.at_ns <= booted.at_ns <= answered.at_ns + NOTICED_NS:
        what = f"it went on {booted.at_ns - answered.at_ns} ns after the answer"
        raise Nonconforming(what, booted.seq)


CASES: Final = (
    GuestCase(
        id="vmbus-answers-waited-for",
        strength="linux",
        about="vmbus",
        given="A host that takes 500 s over each control message",
        when="the guest makes contact, tells its rings and opens its channel",
        then="it posts nothing more each time until the answer has come",
        source="connection.c, channel.c: wait_for_completion() without a limit",
        scenario=SLOW,
        versions=ONCE,
        check=answers_waited_for,
    ),
    GuestCase(
        id="unload-waited-for",
        strength="linux",
        about="vmbus",
        given="A host that takes 500 s over each control message",
        when="the guest hibernates and posts UNLOAD",
        then="it waits for the answer: it makes contact again after that and not before",
        source="channel_mgmt.c vmbus_initiate_unload()",
        scenario=SLOW,
        versions=ONCE,
        check=unload_waited_for,
    ),
    GuestCase(
        id="offers-waited-for-ten-seconds",
        strength="linux",
        about="vmbus",
        given="A host that takes 500 s over each control message",
        when="the guest has resumed and asks for the offers of before",
        then="it goes on without them after 10 s",
        source="vmbus_drv.c vmbus_bus_resume(): ready_for_resume_event",
        scenario=SLOW,
        versions=ONCE,
        check=offers_waited_for,
    ),
    GuestCase(
        id="crash-waits-100-s-for-unload",
        strength="linux",
        about="vmbus",
        given="A host that never answers UNLOAD",
        when="the guest's kernel dies and another is booted in its place",
        then="the dead one gives the host 100 s before that",
        source="channel_mgmt.c vmbus_wait_for_unload(): UNLOAD_WAIT_LOOPS",
        scenario=knobs(unload_ignored=True) + CRASHES,
        versions=ONCE,
        check=unload_given_up,
    ),
    GuestCase(
        id="crash-looks-every-10-ms",
        strength="linux",
        about="vmbus",
        given="A host that answers UNLOAD after 5 s",
        when="the guest's kernel dies and another is booted in its place",
        then="the dead one notices the answer within two looks, which are 10 ms apart",
        source="channel_mgmt.c vmbus_wait_for_unload(): UNLOAD_DELAY_UNIT_MS",
        scenario=slow_messages(CRASH_ANSWER_NS) + CRASHES,
        versions=ONCE,
        check=unload_noticed,
    ),
)
