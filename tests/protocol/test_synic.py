# SPDX-License-Identifier: MIT
"""Messages in SynIC slots and post-message inputs that lie about their size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, WireFormatError
from protocol.synic import (
    POSTED_PAYLOAD_AT,
    HvInputPostMessage,
    HvInputSignalEvent,
    message_payload,
    post_message_input,
    posted_fields,
    signalled_fields,
    synic_message,
)


def test_the_used_part_of_a_slot_is_enough() -> None:
    slot = synic_message(b"hello")
    assert message_payload(slot[:21]) == (1, b"hello")


@pytest.mark.parametrize("size", [6, 241, 255])
def test_a_size_beyond_the_slot_is_refused(size: int) -> None:
    slot = bytearray(synic_message(b"hello"))
    slot[4] = size
    with pytest.raises(WireFormatError, match=r"hv_message\.payload_size at offset 4"):
        message_payload(bytes(slot[:21]))


@pytest.mark.parametrize("size", range(16))
def test_a_slot_cut_off_in_its_header_is_refused(size: int) -> None:
    with pytest.raises(WireFormatError):
        message_payload(bytes(size))


@pytest.mark.wire_note("1.5a")
def test_a_message_longer_than_a_slot_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="241 bytes"):
        synic_message(bytes(241))
    with pytest.raises(LocalProtocolError, match="241 bytes"):
        post_message_input(4, bytes(241))


@given(st.binary(min_size=256, max_size=260))
def test_the_fields_of_a_posted_message_are_the_records(data: bytes) -> None:
    record = HvInputPostMessage.parse(data)
    assert posted_fields(data) == (record.connectionid, record.message_type, record.payload_size)
    assert data[POSTED_PAYLOAD_AT : POSTED_PAYLOAD_AT + 240] == record.payload


@given(st.binary(min_size=8, max_size=16))
def test_the_fields_of_a_signal_are_the_records(data: bytes) -> None:
    record = HvInputSignalEvent.parse(data)
    assert signalled_fields(data) == (record.connectionid, record.flag_number, record.rsvdz)


def test_inputs_that_are_cut_off_are_refused() -> None:
    with pytest.raises(WireFormatError, match="hv_input_post_message"):
        posted_fields(bytes(255))
    with pytest.raises(WireFormatError, match="hv_input_signal_event"):
        signalled_fields(bytes(7))
