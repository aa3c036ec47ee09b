# SPDX-License-Identifier: MIT
"""Laws know a channel by one number, though a guest that hibernates gets another."""

from __future__ import annotations

from typing import Any

from guest.events import DriverRemoved, MachinePoweredOff, MachinePoweredOn, RescindFlagRaised
from host.events import ChannelMoved, ChannelOffered
from protocol.ids import RelId
from protocol.link import MessagePosted
from protocol.vmbus import VmbusChannelRelidReleased
from sim.oracles.channel_names import BEYOND, ChannelNames

BUS, OTHER = "nvme0", "gpu0"


def names_after(*events: Any) -> ChannelNames:
    names = ChannelNames()
    for event in events:
        names.first(event)
    return names


def moved(before: int, relid: int) -> ChannelMoved:
    return ChannelMoved(BUS, RelId(before), RelId(relid))


def told(names: ChannelNames, relid: int) -> int:
    """What a law sees of an event on that channel."""
    event = names.first(DriverRemoved(RelId(relid)))
    assert isinstance(event, DriverRemoved)
    return event.relid


def test_a_channel_keeps_the_name_of_its_first_offer_however_often_it_moves() -> None:
    names = names_after(ChannelOffered(BUS, RelId(1)), moved(1, 3), moved(3, 5))
    assert told(names, 5) == 1
    assert told(names, 7) == 7


def test_nothing_is_looked_at_before_the_first_channel_has_moved() -> None:
    names = names_after(ChannelOffered(BUS, RelId(1)))
    assert not names.changed
    assert names_after(moved(1, 2)).changed


def test_a_new_channel_with_a_number_that_is_anothers_name_gets_a_name_of_its_own() -> None:
    names = names_after(ChannelOffered(BUS, RelId(1)), moved(1, 2), ChannelOffered(OTHER, RelId(1)))
    assert told(names, 2) == 1
    assert told(names, 1) == BEYOND


def test_a_number_that_is_offered_again_is_a_new_channel() -> None:
    names = names_after(ChannelOffered(BUS, RelId(1)), moved(1, 2), ChannelOffered(OTHER, RelId(2)))
    assert told(names, 2) == 2


def test_two_channels_may_change_their_numbers_with_each_other() -> None:
    names = names_after(
        *(ChannelOffered(BUS, RelId(1)), ChannelOffered(OTHER, RelId(2))),
        *(moved(1, 3), ChannelMoved(OTHER, RelId(2), RelId(1)), moved(3, 2)),
    )
    assert told(names, 2) == 1
    assert told(names, 1) == 2


def test_a_number_that_is_given_back_is_told_by_its_name() -> None:
    def posted(relid: int) -> MessagePosted:
        return MessagePosted("guest-to-host", VmbusChannelRelidReleased(child_relid=relid).build())

    names = names_after(ChannelOffered(BUS, RelId(1)), moved(1, 2))
    assert names.first(posted(2)) == posted(1)
    assert names.first(posted(7)) == posted(7)
    offers = MessagePosted("guest-to-host", bytes([3, *bytes(7)]))
    assert names.first(offers) is offers


def test_what_is_offered_again_while_the_machine_is_off_is_the_same_channel() -> None:
    names = names_after(ChannelOffered(BUS, RelId(1)), MachinePoweredOff())
    assert names.first(ChannelOffered(BUS, RelId(2))) == moved(1, 2)
    assert told(names, 2) == 1


def test_what_the_guest_gave_up_before_is_a_new_channel() -> None:
    gone = (ChannelOffered(BUS, RelId(1)), RescindFlagRaised(RelId(1)), MachinePoweredOff())
    names = names_after(*gone)
    assert names.first(ChannelOffered(BUS, RelId(2))) == ChannelOffered(BUS, RelId(2))
    back = names_after(ChannelOffered(BUS, RelId(1)), MachinePoweredOff(), MachinePoweredOn())
    assert back.first(ChannelOffered(BUS, RelId(2))) == ChannelOffered(BUS, RelId(2))
