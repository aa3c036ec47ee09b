# SPDX-License-Identifier: MIT
"""Another processor is to take a channel's interrupts: what a guest posts for that."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import ChannelMessageType, VmbusChannelModifychannel
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.opening import messages
from sim.conformance.guest_cases.reading import premise
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    knobs,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

T = ChannelMessageType
VPS: Final = (5, 0)  # of CPU 0 and 1
MOVE: Final = "channel.c vmbus_send_modifychannel()"


def moved(version: str) -> str:
    """A host that knows VMBus up to that version, and a channel that moves to CPU 1 and back."""
    return (
        f"\n[guest]\nvp_numbers = {list(VPS)}\n"
        + knobs(highest_vmbus_version=f'"{version}"')
        + administrator()
        + actor(
            "user",
            ASSIGNED,
            do("move-channel", cpu=1),
            do("move-channel", cpu=0),
            after(SETTLED_NS),
        )
    )


def both_moves(seen: Seen) -> list[Stamped]:
    """Raises Nonconforming unless two were posted that name the processors."""
    posted = messages(seen, VmbusChannelModifychannel, T.CHANNELMSG_MODIFYCHANNEL)
    named = [message.target_vp for _, message in posted]
    if named != [VPS[1], VPS[0]]:
        raise Nonconforming(f"it moved to the processors {named}", posted[-1][0].seq)
    return [stamped for stamped, _ in posted]


def answer_awaited(seen: Seen) -> None:
    first, second = both_moves(seen)
    answers = seen.posted(T.CHANNELMSG_MODIFYCHANNEL_RESPONSE, "host-to-guest")
    if not any(first.seq < answer.seq < second.seq for answer in answers):
        raise Nonconforming("it moved again before the host had answered", second.seq)


def moved_twice(seen: Seen) -> None:
    """Whether or not the host has answered."""
    both_moves(seen)


def not_moved(seen: Seen) -> None:
    premise(seen.posted(T.CHANNELMSG_OPENCHANNEL), "opening a channel")
    for stamped in seen.posted(T.CHANNELMSG_MODIFYCHANNEL):
        raise Nonconforming("a message was posted that its host does not know", stamped.seq)


CASES: Final = (
    GuestCase(
        id="answer-to-a-move-awaited",
        strength="linux",
        about="vmbus",
        given="A guest and a host that speak VMBus 5.3",
        when="another processor is to take the channel's interrupts, and then the first again",
        then="it names the virtual processor, and moves again when the host has answered",
        source=MOVE,
        scenario=moved("5.3"),
        check=answer_awaited,
    ),
    GuestCase(
        id="no-answer-to-a-move-awaited",
        strength="linux",
        about="vmbus",
        given="A guest and a host that speak VMBus 5.2, where no move is answered",
        when="another processor is to take the channel's interrupts, and then the first again",
        then="it moves twice all the same",
        source=MOVE,
        scenario=moved("5.2"),
        check=moved_twice,
    ),
    GuestCase(
        id="no-move-before-4.1",
        strength="linux",
        about="vmbus",
        given="A guest and a host that speak VMBus 4.0",
        when="another processor is to take the channel's interrupts",
        then="it posts nothing",
        source="vmbus_drv.c target_cpu_store(): VERSION_WIN10_V4_1",
        scenario=moved("4.0"),
        check=not_moved,
    ),
)
