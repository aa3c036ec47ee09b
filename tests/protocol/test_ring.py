# SPDX-License-Identifier: MIT
"""The ring against the facts, against a plain deque, and against writers that lie."""

import json
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol import ring as r
from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError
from protocol.vpci import (
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
)

FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "wire-vectors.json").read_text()
)
INBAND, COMPLETION = 6, 11


def new_ring(data_bytes: int, rules: r.ReaderRules = r.LINUX, at: int = 0) -> r.Ring:
    ring = r.Ring(memoryview(bytearray(r.HEADER_BYTES + data_bytes)), rules)
    ring.initialise()
    ring.write_index = ring.read_index = at
    return ring


def memory_and_ring(data_bytes: int, rules: r.ReaderRules) -> tuple[memoryview, r.Ring]:
    memory = memoryview(bytearray(r.HEADER_BYTES + data_bytes))
    ring = r.Ring(memory, rules)
    ring.initialise()
    return memory, ring


def put_descriptor(memory: memoryview, at: int, **fields: int) -> None:
    """A hand-made descriptor in an otherwise empty data area."""
    values = {"packet_type": INBAND, "offset8": 2, "len8": 3, "flags": 0} | fields
    struct.pack_into("<HHHHQ", memory, r.HEADER_BYTES + at, *values.values(), 7)


# --- the facts ----------------------------------------------------------------------------------


@pytest.mark.wire_note("6.2a", "6.2b", "6.3a")
@pytest.mark.parametrize("case", FACTS["rings"], ids=lambda case: case["id"])
def test_a_packet_lands_in_the_ring_as_the_facts_say(case: dict[str, Any]) -> None:
    memory = memoryview(bytearray(r.HEADER_BYTES + case["data_size"]))
    ring = r.Ring(memory)
    ring.initialise()
    start = case["start_write_index"]
    ring.write_index, ring.read_index = start, case["read_index"]
    payload = bytes.fromhex(case["payload_hex"])
    assert r.packet_bytes(len(payload)) == case["packet_len"]
    assert ring.write(INBAND, 1, 42, payload) == bool(case["signal"])
    assert ring.write_index == case["end_write_index"]
    data = memory[r.HEADER_BYTES :].tobytes()
    head, wrapped = (
        bytes.fromhex(case[key]) for key in ("ring_at_start_hex", "ring_wrapped_to_0_hex")
    )
    assert data[start : start + len(head)] == head
    assert data[: len(wrapped)] == wrapped
    assert head + wrapped == bytes.fromhex(case["packet_linear_hex"])
    packet = ring.read()
    assert packet is not None
    assert packet.payload == payload + bytes(-len(payload) % 8)
    assert (packet.packet_type, packet.flags, packet.transaction_id) == (INBAND, 1, 42)
    assert packet.size == case["packet_len"] - r.TRAILER_BYTES


@pytest.mark.wire_note("6.4b", "6.4c")
@pytest.mark.parametrize("case", FACTS["ring_math"])
def test_free_and_used_bytes_are_counted_as_the_facts_say(case: dict[str, int]) -> None:
    place = case["read_index"], case["write_index"], case["data_size"]
    free = r.bytes_to_write(*place)
    assert free == case["bytes_to_write_linux"]
    assert r.bytes_to_read(*place) == case["bytes_to_read"]
    assert r.free_bytes_openvmm(*place) == case["free_openvmm"] == case["largest_packet_linux"]
    ring = new_ring(case["data_size"])
    ring.read_index, ring.write_index = case["read_index"], case["write_index"]
    assert (ring.bytes_to_write(), ring.bytes_to_read()) == (free, case["bytes_to_read"])
    largest = case["largest_packet_linux"] - r.OVERHEAD_BYTES
    if largest >= 0:
        assert ring.has_room(largest)
    assert not ring.has_room(max(largest, 0) + 1)


@pytest.mark.wire_note("6.7a", "6.7b")
@pytest.mark.parametrize("case", FACTS["write_signal"])
def test_a_writer_signals_as_the_facts_say(case: dict[str, int]) -> None:
    read_index = case["read_index_after_publish"]
    verdict = r.must_signal_data(case["old_write_index"], read_index, case["peer_interrupt_mask"])
    assert verdict == case["signal"]
    ring = new_ring(4096)
    ring.write_index, ring.read_index = case["old_write_index"], read_index
    ring.interrupt_mask = case["peer_interrupt_mask"]
    assert ring.write(INBAND, 0, 0, b"12345678") == case["signal"]


@pytest.mark.wire_note("6.9b", "6.9c", "6.9e")
@pytest.mark.parametrize("rules", [r.LINUX, r.OPENVMM], ids=["linux", "openvmm"])
@pytest.mark.parametrize("case", FACTS["read_close_signal"])
def test_a_reader_wakes_the_writer_as_the_facts_say(
    case: dict[str, int], rules: r.ReaderRules
) -> None:
    expected = case["signal_linux" if rules is r.LINUX else "signal_openvmm"]
    ring = new_ring(case["data_size"], rules)
    ring.read_index, ring.write_index = case["read_after"], case["write_index"]
    ring.pending_send_sz, ring.feature_bits = case["pending_send_sz"], case["feature_bit"]
    assert ring.bytes_to_write() == case["free_after"]
    assert ring.must_signal_space(case["bytes_read"]) == expected


@pytest.mark.wire_note("6.9d")
def test_openvmm_drops_the_low_bits_of_the_wish() -> None:
    # Some writers ask for "the ring minus one"; see the comment in OpenVMM's commit_read.
    # Whole packets leave multiples of 8 free: there the bits tell only in a wish for less than 8.
    for free_bytes, pending_send_sz, linux in ((71, 71, False), (64, 7, True)):
        wish = {"bytes_read": 64, "feature_bits": 1, "pending_send_sz": pending_send_sz}
        assert r.must_signal_space_linux(free_bytes, **wish) is linux
        assert r.must_signal_space_openvmm(free_bytes, **wish) is not linux


# --- control page and edges -----------------------------------------------------------------------


@pytest.mark.wire_note("6.1c", "9.2d")
def test_initialising_leaves_only_the_flow_control_bit() -> None:
    vector = next(v for v in FACTS["vectors"] if v["id"] == "ring_control_page_initial")
    expected = bytes.fromhex(vector["struct_hex"])
    memory = memoryview(bytearray(b"\xff" * (r.HEADER_BYTES + 64)))
    r.Ring(memory).initialise()
    assert memory[: len(expected)] == expected
    assert not any(memory[len(expected) : r.HEADER_BYTES])
    assert memory[r.HEADER_BYTES :] == b"\xff" * 64


@pytest.mark.wire_note("6.1a")
def test_the_control_words_lie_where_the_other_side_looks() -> None:
    memory, ring = memory_and_ring(64, r.LINUX)
    ring.write_index, ring.read_index = 8, 16
    ring.interrupt_mask, ring.pending_send_sz, ring.feature_bits = 1, 24, 3
    assert struct.unpack_from("<4I", memory) == (8, 16, 1, 24)
    assert struct.unpack_from("<I", memory, 64) == (3,)
    assert (ring.write_index, ring.read_index, ring.interrupt_mask) == (8, 16, 1)
    assert (ring.pending_send_sz, ring.feature_bits) == (24, 3)
    ring.write_index = ring.read_index = 0
    ring.write(INBAND, 0, 0, b"12345678")
    assert memory[4096 + 16 : 4096 + 24].tobytes() == b"12345678"


@pytest.mark.parametrize("at", [16, 60, 68, r.HEADER_BYTES - 1])
def test_what_stands_beside_the_control_words_is_noticed(at: int) -> None:
    memory, ring = memory_and_ring(64, r.LINUX)
    memory[:16] = b"\xff" * 16
    memory[64:68] = memory[r.HEADER_BYTES : r.HEADER_BYTES + 4] = b"\xff" * 4
    assert ring.reserved_is_zero()
    memory[at] = 1
    assert not ring.reserved_is_zero()


@pytest.mark.parametrize("size", [0, r.HEADER_BYTES, r.HEADER_BYTES + 12])
def test_memory_that_holds_no_ring_is_refused(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        r.Ring(memoryview(bytearray(size)))


@pytest.mark.wire_note("6.4b")
def test_a_full_ring_refuses_the_packet_and_stays_as_it_was() -> None:
    memory, ring = memory_and_ring(64, r.LINUX)
    assert ring.write(INBAND, 0, 0, bytes(8)) is True
    before = memory.tobytes()
    with pytest.raises(r.RingFull):  # 32 bytes are free: one must stay so
        ring.write(INBAND, 0, 0, bytes(8))
    assert memory.tobytes() == before
    assert ring.write(INBAND, 0, 0, b"") is False
    assert ring.bytes_to_write() == 8


@pytest.mark.wire_note("6.4d")
def test_the_largest_packet_leaves_eight_bytes() -> None:
    ring = new_ring(4096, at=2048)
    ring.write(INBAND, 0, 0, bytes(4096 - 8 - r.OVERHEAD_BYTES))
    assert ring.bytes_to_write() == 8
    packet = ring.read()
    assert packet is not None
    assert packet.size == 4080


def test_a_payload_that_len8_cannot_say_is_our_own_fault() -> None:
    ring = new_ring(1 << 20)
    with pytest.raises(LocalProtocolError, match="len8"):
        ring.write(INBAND, 0, 0, bytes(0xFFFF * 8))


@pytest.mark.wire_note("6.4a")
def test_an_empty_ring_gives_nothing() -> None:
    ring = new_ring(64, at=40)
    assert ring.empty()
    assert ring.read() is None
    assert ring.bytes_to_write() == 64


def test_peek_leaves_the_packet_for_later() -> None:
    ring = new_ring(256)
    ring.write(COMPLETION, 0, 5, b"status")
    assert ring.peek() == ring.peek() == ring.read()
    assert ring.read() is None


def test_a_batched_reader_sees_what_came_while_it_was_masked() -> None:
    ring = new_ring(256)
    assert ring.write(INBAND, 0, 0, b"a" * 8)
    ring.begin_read()
    assert ring.read() is not None
    assert not ring.write(INBAND, 0, 0, b"b" * 8)  # masked: nobody is signalled
    assert ring.end_read() == 32
    ring.begin_read()
    assert ring.read() is not None
    assert ring.end_read() == 0
    assert ring.write(INBAND, 0, 0, b"c" * 8)


@pytest.mark.wire_note("6.9c")
def test_a_blocked_writer_is_woken_once_when_there_is_room() -> None:
    ring = new_ring(128)
    for _ in range(3):
        ring.write(INBAND, 0, 0, bytes(8))
    wanted = r.packet_bytes(40)
    ring.pending_send_sz = wanted
    woken = []
    while packet := ring.read():
        woken.append(ring.must_signal_space(packet.size + r.TRAILER_BYTES))
    assert woken == [False, True, False]  # 64 free is not enough for 64, 96 is


class WithdrawnWish(r.Ring):
    """A ring whose writer takes its wish back as soon as somebody counts the free bytes."""

    def bytes_to_write(self) -> int:
        free = super().bytes_to_write()
        self.pending_send_sz = 0
        return free


@pytest.mark.wire_note("6.9g")
def test_a_reader_looks_at_the_wish_before_it_counts_the_free_bytes() -> None:
    ring = WithdrawnWish(memoryview(bytearray(r.HEADER_BYTES + 128)))
    ring.initialise()
    ring.pending_send_sz = 112
    assert ring.must_signal_space(32)


@pytest.mark.wire_note("6.2c")
@pytest.mark.parametrize(
    "rules", [r.LINUX, r.LINUX_RAW, r.OPENVMM], ids=["linux", "raw", "openvmm"]
)
def test_a_reader_skips_the_trailer_whatever_it_says(rules: r.ReaderRules) -> None:
    memory, ring = memory_and_ring(256, rules)
    ring.write(INBAND, 0, 0, b"12345678")
    memory[r.HEADER_BYTES + 24 : r.HEADER_BYTES + 32] = b"\xff" * 8
    packet = ring.read()
    assert packet is not None
    assert packet.payload == b"12345678"
    assert ring.empty()


@pytest.mark.wire_note("6.5f")
@pytest.mark.parametrize(
    ("relations", "entry", "most"),
    [
        (PciBusRelations, PciFunctionDescription(), 203),
        (PciBusRelations2, PciFunctionDescription2(), 145),
    ],
)
def test_the_longest_list_that_a_linux_reader_takes_whole(
    relations: Callable[..., WireRecord], entry: WireRecord, most: int
) -> None:
    for count, whole in ((most, True), (most + 1, False)):
        ring = new_ring(16384, r.LINUX_RAW)
        payload = relations(device_count=count, func=(entry,) * count).build()
        ring.write(INBAND, 0, 0, payload)
        packet = ring.read()
        assert packet is not None
        assert (packet.payload[: len(payload)] == payload) is whole
        assert ring.empty() is whole


# --- writers that lie -----------------------------------------------------------------------------

LIES = {
    "shorter than its descriptor": {"len8": 1},
    "nothing": {"len8": 0},
    "longer than what is there": {"len8": 200},
    "offset before the payload": {"offset8": 0},
    "offset past the end": {"offset8": 4},
    "offset of all ones": {"offset8": 0xFFFF},
}


@pytest.mark.wire_note("6.5b", "6.5d")
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_linux_clamps_what_it_is_told(lie: dict[str, int]) -> None:
    memory, ring = memory_and_ring(256, r.LINUX)
    put_descriptor(memory, 0, **lie)
    ring.write_index = 32
    packet = ring.read()
    assert packet is not None
    size = 24 if lie.get("len8", 3) == 3 else 32
    assert packet.size == size
    assert len(packet.payload) == size - 16  # a bad offset8 is taken for the descriptor's end
    assert ring.read_index == size + 8


@pytest.mark.wire_note("6.5a")
@pytest.mark.parametrize(
    "lie",
    [*LIES.values(), {"flags": 2}, {"packet_type": 0}, {"packet_type": 8}, {"packet_type": 14}],
)
def test_openvmm_refuses_what_linux_clamps(lie: dict[str, int]) -> None:
    memory, ring = memory_and_ring(256, r.OPENVMM)
    put_descriptor(memory, 0, **lie)
    ring.write_index = 32
    before = memory.tobytes()
    with pytest.raises(r.RingCorrupt):
        ring.read()
    assert memory.tobytes() == before


@pytest.mark.parametrize("packet_type", [7, 9])
def test_openvmm_wants_room_for_the_header_of_page_packets(packet_type: int) -> None:
    memory, ring = memory_and_ring(256, r.OPENVMM)
    put_descriptor(memory, 0, packet_type=packet_type, offset8=2)
    ring.write_index = 32
    with pytest.raises(r.RingCorrupt, match="header"):
        ring.read()
    put_descriptor(memory, 0, packet_type=packet_type, offset8=3)
    packet = ring.read()
    assert packet is not None
    assert packet.payload == b""


def test_offset8_moves_the_payload_except_for_a_raw_reader() -> None:
    for rules, length in ((r.LINUX, 8), (r.OPENVMM, 8), (r.LINUX_RAW, 16)):
        memory, ring = memory_and_ring(256, rules)
        put_descriptor(memory, 0, offset8=3, len8=4)
        ring.write_index = 40
        packet = ring.read()
        assert packet is not None
        assert len(packet.payload) == length
        assert packet.size == 32


@pytest.mark.wire_note("6.5c", "6.5e")
def test_a_packet_beyond_the_linux_buffer_makes_the_reader_lose_step() -> None:
    ring = new_ring(16384)
    ring.write(INBAND, 0, 0, bytes(4088))
    packet = ring.read()
    assert packet is not None
    assert packet.size == r.MAX_PACKET_BYTES
    assert ring.read_index == 4104 != ring.write_index


def test_half_a_descriptor_is_nothing_to_linux_and_an_error_to_openvmm() -> None:
    ring = new_ring(256)
    ring.write_index = 8
    assert ring.read() is None
    ring = new_ring(256, r.OPENVMM)
    ring.write_index = 8
    with pytest.raises(r.RingCorrupt):
        ring.read()


@pytest.mark.wire_note("6.6a", "9.2c")
@pytest.mark.parametrize("rules", [r.LINUX, r.OPENVMM], ids=["linux", "openvmm"])
@pytest.mark.parametrize(("read_index", "write_index"), [(256, 0), (0, 256), (1 << 31, 8)])
def test_an_index_outside_the_ring_is_refused(
    rules: r.ReaderRules, read_index: int, write_index: int
) -> None:
    ring = new_ring(256, rules)
    ring.read_index, ring.write_index = read_index, write_index
    for touch in (
        ring.read,
        ring.bytes_to_read,
        ring.bytes_to_write,
        lambda: ring.write(INBAND, 0, 0, b""),
        lambda: ring.has_room(0),
    ):
        with pytest.raises(r.RingCorrupt, match="out of range"):
            touch()


@given(st.data(), st.sampled_from([r.LINUX, r.LINUX_RAW, r.OPENVMM]))
def test_garbage_never_reads_out_of_bounds(data: st.DataObject, rules: r.ReaderRules) -> None:
    data_bytes = data.draw(st.sampled_from([64, 256, 8192]))
    memory, ring = memory_and_ring(data_bytes, rules)
    memory[r.HEADER_BYTES : r.HEADER_BYTES + 64] = data.draw(st.binary(min_size=64, max_size=64))
    ring.read_index = data.draw(st.integers(0, data_bytes + 8))
    ring.write_index = data.draw(st.integers(0, data_bytes + 8))
    for _ in range(8):
        try:
            packet = ring.read()
        except r.RingCorrupt:
            break
        if packet is None:
            break
        assert 16 <= packet.size <= min(data_bytes, rules.max_packet_bytes)
        assert len(packet.payload) <= packet.size - 16
        assert ring.read_index < data_bytes


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.wire_note("6.1b", "6.3a")
@given(
    st.integers(0, 31).map(lambda at: at * 8),
    st.binary(max_size=200),
    st.integers(0, (1 << 64) - 1),
    st.sampled_from([r.LINUX, r.LINUX_RAW, r.OPENVMM]),
)
def test_what_is_written_is_read_wherever_it_wraps(
    at: int, payload: bytes, transaction_id: int, rules: r.ReaderRules
) -> None:
    ring = new_ring(256, rules, at)
    assert ring.write(COMPLETION, 0, transaction_id, payload)
    padded = payload + bytes(-len(payload) % 8)
    assert ring.read() == r.Packet(COMPLETION, 0, transaction_id, padded, 16 + len(padded))
    assert ring.read_index == ring.write_index == (at + r.packet_bytes(len(payload))) % 256


class RingAgainstDeque(RuleBasedStateMachine):
    """A ring of 256 bytes does what a queue of packets would, and never more than it can."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = new_ring(256)
        self.model: deque[bytes] = deque()

    def used(self) -> int:
        return sum(r.packet_bytes(len(payload)) for payload in self.model)

    @rule(payload=st.binary(max_size=120), masked=st.booleans())
    def write(self, payload: bytes, masked: bool) -> None:
        self.ring.interrupt_mask = int(masked)
        if self.used() + r.packet_bytes(len(payload)) > 256 - 8:
            assert not self.ring.has_room(len(payload))
            with pytest.raises(r.RingFull):
                self.ring.write(INBAND, 0, len(payload), payload)
            return
        assert self.ring.has_room(len(payload))
        signal = self.ring.write(INBAND, 0, len(payload), payload)
        assert signal == (not self.model and not masked)
        self.model.append(payload)

    @precondition(lambda self: self.model)
    @rule()
    def read(self) -> None:
        packet = self.ring.read()
        assert packet is not None
        assert packet.payload[: packet.transaction_id] == self.model.popleft()

    @precondition(lambda self: not self.model)
    @rule()
    def read_nothing(self) -> None:
        assert self.ring.read() is None

    @invariant()
    def counts_agree(self) -> None:
        assert self.ring.bytes_to_read() == self.used()


TestRingAgainstDeque = RingAgainstDeque.TestCase
TestRingAgainstDeque.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
