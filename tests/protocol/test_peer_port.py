# SPDX-License-Identifier: MIT
"""Frames of the peer port: what is built is read again, and damage is named."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import WireRecord
from protocol.errors import WireFormatError
from protocol.peer_port import (
    BODY_BYTES_MAX,
    FRAMES,
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    FrameHeader,
    Interrupt,
    Offered,
    Order,
    PacketFrame,
    Ping,
    Unframer,
    encode,
)

SOME_BYTES = st.binary(max_size=60)
GUIDS = st.uuids()


def values_of(record: type[WireRecord]) -> st.SearchStrategy[WireRecord]:
    """Any frame of a kind."""
    fields: dict[str, st.SearchStrategy[object]] = {}
    for name in record.__struct_fields__:
        default = getattr(record(), name)
        if isinstance(default, bytes):
            fields[name] = SOME_BYTES
        elif isinstance(default, tuple):
            fields[name] = st.lists(st.integers(0, 2**64 - 1), max_size=9).map(
                lambda words: (*words,)
            )
        elif isinstance(default, int):
            fields[name] = st.integers(0, 2**16 - 1)
        else:
            fields[name] = GUIDS
    return st.builds(record, **fields)


ANY_FRAME = st.one_of([values_of(record) for record in FRAMES.values()])


@given(st.lists(ANY_FRAME, max_size=6), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(
    frames: list[WireRecord], chunk_bytes: int
) -> None:
    data = b"".join(map(encode, frames))
    unframer = Unframer()
    found = []
    for at in range(0, len(data), chunk_bytes):
        found += list(unframer.feed(data[at : at + chunk_bytes]))
    assert found == frames
    assert not unframer.within_frame


@given(st.binary(max_size=200))
def test_whatever_comes_is_frames_or_one_kind_of_error(data: bytes) -> None:
    try:
        frames = list(Unframer().feed(data))
    except WireFormatError:
        return
    assert data.startswith(b"".join(map(encode, frames)))


@given(ANY_FRAME, st.data())
def test_a_frame_with_a_changed_length_is_refused_or_another_frame(
    frame: WireRecord, data: st.DataObject
) -> None:
    whole = encode(frame)
    length = data.draw(st.integers(0, len(whole) - HEADER_BYTES))
    cut = FrameHeader(length, FrameHeader.parse(whole).kind).build() + whole[HEADER_BYTES:]
    unframer = Unframer()
    try:
        first = next(unframer.feed(cut[: HEADER_BYTES + length]))
    except WireFormatError:
        return
    assert encode(first) == cut[: HEADER_BYTES + length]


def test_every_kind_has_a_number_of_its_own_and_fits_into_a_frame() -> None:
    assert len(set(FRAMES.values())) == len(FRAMES)
    assert len(PacketFrame(payload=bytes(PAYLOAD_BYTES_MAX)).build()) == BODY_BYTES_MAX


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (FrameHeader(BODY_BYTES_MAX + 1, 22).build(), "is the most"),
        (FrameHeader(0, 99).build(), "no frame 99"),
        (FrameHeader(3, 2).build() + bytes(3), "PING.token"),
        (FrameHeader(5, 2).build() + bytes(5), "PING has 4 bytes here, not 5"),
        (FrameHeader(23, 48).build() + bytes(23), "ORDER has 16 bytes here, not 23"),
        (FrameHeader(400, 4).build() + bytes(400), "ERROR has 240 bytes here, not 400"),
    ],
)
def test_damage_is_named(damaged: bytes, says: str) -> None:
    with pytest.raises(WireFormatError, match=says):
        list(Unframer().feed(damaged))


def test_an_unframer_holds_one_frame_at_most() -> None:
    unframer = Unframer()
    assert list(unframer.feed(encode(Ping(1))[:5])) == []
    assert unframer.within_frame


def test_numbers_are_little_endian_and_guids_as_on_vmbus() -> None:
    assert encode(Interrupt(1, 0x2F)).hex() == "0800000026000000010000002f000000"
    assert encode(Order(1, 1, 2, 0, (3,))).hex()[-16:] == "0300000000000000"
    instance = UUID("00112233-4455-6677-8899-aabbccddeeff")
    assert encode(Offered(1, 0, instance)).hex()[-32:] == "33221100554477668899aabbccddeeff"
