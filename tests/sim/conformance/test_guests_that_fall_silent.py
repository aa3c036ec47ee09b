# SPDX-License-Identifier: MIT
"""A guest that does nothing wrong because it does nothing any more, or never did, passes no case.

Its run is the reference guest's, less what it leaves unsaid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from msgspec.structs import replace

from protocol.link import Direction, MessagePosted, PacketPublished
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import NotOffered
from sim.conformance.guest_play import Played, judged, play
from sim.conformance.seen import Seen
from sim.trace import Stamped
from tests.sim.conformance.unlike import BY_ID

T = ChannelMessageType
DELETE = MessageType.PCI_DELETE_INTERRUPT_MESSAGE.to_bytes(4, "little")
VERSION: Final = "1.4"
WAITS_FOR_ANOTHER: Final = "it waits for an answer that cannot come any more"
NEVER_WENT_ON: Final = "it did not go on when its own answer had come"
SILENT_SINCE: Final = (
    ("gpadl-answer-matched", T.CHANNELMSG_GPADL_CREATED, NEVER_WENT_ON),
    ("open-answer-matched", T.CHANNELMSG_OPENCHANNEL_RESULT, NEVER_WENT_ON),
    ("teardown-answer-matched", T.CHANNELMSG_GPADL_TORNDOWN, NEVER_WENT_ON),
    ("unload-waited-for", T.CHANNELMSG_UNLOAD_RESPONSE, "it never made contact again"),
    ("rescind-ends-an-open", T.CHANNELMSG_RESCIND_CHANNELOFFER, WAITS_FOR_ANOTHER),
)
"""The case, the host's first message that the guest does not survive, and what the case says."""
SENDS_NOTHING: Final = (
    "refused-version-not-asked-again",
    "no-version-no-further",
    "failed-query-is-no-agreement",
    "failed-query-ends-it",
    "completion-finds-its-request",
    "refused-interrupt-not-deleted",
    "short-interrupt-answer",
)
DELETES_NOTHING: Final = (
    "ring-never-filled",
    "no-room-no-packet",
    "no-wish-for-room",
    "indices-in-whole-words",
)


def judged_as(case: str, change: Callable[[Stamped], Stamped | None]) -> str:
    """What the case says of its run, each event changed or left out."""
    played = play(BY_ID[case], VERSION)
    return str(judged(BY_ID[case], changed(played, change)))


def changed(played: Played, change: Callable[[Stamped], Stamped | None]) -> Played:
    seen = played.seen
    trace = tuple(s for s in map(change, seen.trace) if s is not None)
    return Played(Seen(replace(seen.result, trace=trace), seen.dialect, seen.rings), played.stopped)


def first(case: str, message: T, direction: Direction) -> Stamped:
    return play(BY_ID[case], VERSION).seen.posted(message, direction)[0]


def of_the_guest(stamped: Stamped) -> bool:
    return getattr(stamped.event, "direction", "") == "guest-to-host"


@pytest.mark.parametrize(("case", "message", "why"), SILENT_SINCE)
def test_a_guest_that_falls_silent_does_not_get_on(case: str, message: T, why: str) -> None:
    since = first(case, message, "host-to-guest").seq
    told = judged_as(case, lambda s: None if of_the_guest(s) and s.seq > since else s)
    assert told == why


def test_a_guest_that_opens_again_what_has_gone_does_not_get_on() -> None:
    case = "rescind-ends-an-open"
    since = first(case, T.CHANNELMSG_RESCIND_CHANNELOFFER, "host-to-guest").seq
    asked = first(case, T.CHANNELMSG_OPENCHANNEL, "guest-to-host").event

    def repeated(stamped: Stamped) -> Stamped:
        again = stamped.seq > since and of_the_guest(stamped)
        return replace(stamped, event=asked) if again else stamped

    assert judged_as(case, repeated) == WAITS_FOR_ANOTHER


def test_a_guest_that_keeps_the_relid_but_opens_the_next_one_gets_on() -> None:
    def keeps(stamped: Stamped) -> Stamped | None:
        event = stamped.event
        if not isinstance(event, MessagePosted) or not of_the_guest(stamped):
            return stamped
        kind = T(int.from_bytes(event.payload[:4], "little"))
        if kind == T.CHANNELMSG_RELID_RELEASED:
            return None
        if kind != T.CHANNELMSG_OPENCHANNEL or stamped.seq < since:
            return stamped
        next_one = event.payload[:8] + (2).to_bytes(4, "little") + event.payload[12:]
        return replace(stamped, event=replace(event, payload=next_one))

    case = "rescind-ends-an-open"
    since = first(case, T.CHANNELMSG_RESCIND_CHANNELOFFER, "host-to-guest").seq
    assert judged_as(case, keeps) == "None"


@pytest.mark.parametrize("case", SENDS_NOTHING)
def test_a_guest_that_sends_no_packet_is_not_put_to_the_case(case: str) -> None:
    def silent(stamped: Stamped) -> Stamped | None:
        packet = isinstance(stamped.event, PacketPublished)
        return None if packet and of_the_guest(stamped) else stamped

    with pytest.raises(NotOffered, match="the guest never came to"):
        judged_as(case, silent)


@pytest.mark.parametrize("case", DELETES_NOTHING)
def test_a_guest_that_deletes_no_interrupt_is_not_put_to_a_case_about_a_full_ring(
    case: str,
) -> None:
    def keeping(stamped: Stamped) -> Stamped | None:
        event = stamped.event
        deletes = isinstance(event, PacketPublished) and event.payload[:4] == DELETE
        return None if deletes else stamped

    with pytest.raises(NotOffered, match="never came to a ring without room"):
        judged_as(case, keeping)
