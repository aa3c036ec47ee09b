# SPDX-License-Identifier: MIT
"""Events of the border are values."""

import msgspec
import pytest

from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.link import ChannelEvent, ConfigRead, LinkEvent, MessagePosted, PacketPublished


def test_events_with_equal_fields_are_equal_and_hash_alike() -> None:
    one, two = ChannelEvent(RelId(17)), ChannelEvent(RelId(17))
    assert one == two
    assert hash(one) == hash(two)
    assert one != ChannelEvent(RelId(18))


def test_an_event_cannot_be_changed() -> None:
    event = MessagePosted("guest-to-host", b"\x03" + bytes(7))
    with pytest.raises(AttributeError):
        event.payload = b""  # type: ignore[misc]  # the point of the test


def test_events_carry_names_for_a_trace() -> None:
    event = PacketPublished("host-to-guest", RelId(1), 11, TransactionId(1), 0, b"\x00\x00")
    assert msgspec.structs.asdict(event)["transaction_id"] == 1
    assert isinstance(ConfigRead("nvme0", SlotNumber(0), 0, 4, 0xFFFFFFFF), LinkEvent)
