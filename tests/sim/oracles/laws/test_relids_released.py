# SPDX-License-Identifier: MIT
"""A rescinded channel is released once; a refused offer may be released without a rescind."""

from __future__ import annotations

from errno import EPROTO

from guest.events import (
    DriverRemoved,
    FunctionReturned,
    ProcessesFrozen,
    RescindFlagRaised,
    RootBusRemovalBegan,
)
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
REMOVED = DriverRemoved(RELID)
FAILED = FunctionReturned(RELID, "hv_pci_resume", -EPROTO)


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


def test_a_root_bus_that_stays_behind_keeps_the_number_for_known_reasons() -> None:
    assert told(RelidsReleased, FAILED, FLAG, REMOVED, may_show=("O8",)).known == ("O8",)
    asleep = (ProcessesFrozen(), FLAG, REMOVED)
    assert told(RelidsReleased, *asleep, may_show=("O33",)).known == ("O33",)


def test_a_bus_that_is_taken_down_whole_gives_its_number_back_whatever_failed_before() -> None:
    gone = (FAILED, FLAG, RootBusRemovalBegan(RELID), REMOVED)
    assert "channel 1" in broken(RelidsReleased, *gone).message


def test_what_no_item_explains_is_told_first() -> None:
    other = RescindFlagRaised(RelId(2))
    assert "channel 2" in broken(RelidsReleased, FAILED, FLAG, REMOVED, other).message
