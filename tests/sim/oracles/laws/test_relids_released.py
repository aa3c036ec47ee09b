# SPDX-License-Identifier: MIT
"""A rescinded channel is released once; a refused offer may be released without a rescind."""

from __future__ import annotations

from guest.events import RescindFlagRaised
from host.events import ChannelMoved, ChannelOffered
from protocol.ids import RelId
from protocol.link import MessagePosted
from protocol.vmbus import VmbusChannelCloseChannel, VmbusChannelRelidReleased
from sim.oracles.laws.relids_released import RelidsReleased
from tests.sim.oracles.laws.tale import BUS, RELID, broken, holds, told

FLAG = RescindFlagRaised(RELID)
RELEASED = MessagePosted("guest-to-host", VmbusChannelRelidReleased(child_relid=RELID).build())
CLOSED = MessagePosted("guest-to-host", VmbusChannelCloseChannel(child_relid=RELID).build())
AGAIN = ChannelOffered(BUS, RELID)


def test_a_rescind_ends_with_one_release() -> None:
    assert holds(RelidsReleased, FLAG, CLOSED, RELEASED)


def test_a_channel_that_is_never_released_is_lost() -> None:
    violation = broken(RelidsReleased, FLAG, CLOSED)
    assert violation.kind == "leak"
    assert "channel 1" in violation.message
    assert told(RelidsReleased, FLAG, whole=False) == (None, ())


def test_each_channel_is_released_for_itself() -> None:
    assert (
        "channel 2" in broken(RelidsReleased, FLAG, RescindFlagRaised(RelId(2)), RELEASED).message
    )


def test_a_second_release_is_one_too_many() -> None:
    assert "twice" in broken(RelidsReleased, FLAG, RELEASED, RELEASED).message
    assert holds(RelidsReleased, FLAG, RELEASED, AGAIN, FLAG, RELEASED)


def test_an_offer_that_could_not_be_taken_is_released_as_well() -> None:
    assert holds(RelidsReleased, AGAIN, RELEASED)


def test_a_channel_that_has_another_number_is_released_under_that() -> None:
    moved = ChannelMoved(BUS, RELID, RelId(3))
    again = MessagePosted("guest-to-host", VmbusChannelRelidReleased(child_relid=3).build())
    flag = RescindFlagRaised(RelId(3))
    assert holds(RelidsReleased, AGAIN, moved, flag, again)
    assert "channel 1" in broken(RelidsReleased, AGAIN, moved, flag).message
