# SPDX-License-Identifier: MIT
"""One packet a turn, first in first out, and nothing dropped for want of room."""

import pytest

from host.channel_worker import ChannelWorker
from host.vsp.inputs import InvalidationDue, PacketReceived, RingBroken
from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.ring import HEADER_BYTES, Packet, Ring
from protocol.ring_rules import OPENVMM
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from sim.peer.bench_clock import BenchClock

RELID = RelId(3)
DATA_BYTES = 256


class Owner:
    """Echoes each request into a completion; keeps a list of what happened."""

    def __init__(self) -> None:
        self.worker: ChannelWorker
        self.seen: list[str] = []
        self.signals = 0

    def feed(self, input_: PacketReceived | InvalidationDue | RingBroken) -> None:
        if isinstance(input_, InvalidationDue):
            self.seen.append(f"due {input_.wslot}")
            self.worker.send(b"notice")
        elif isinstance(input_, RingBroken):
            self.seen.append(input_.reason)
        else:
            self.seen.append(input_.payload.decode().rstrip("\0"))
            if input_.wants_completion:
                self.worker.complete(input_.transaction_id, input_.payload)

    def signal(self, relid: RelId) -> None:
        assert relid == RELID
        self.signals += 1


class Rig:
    """A worker over two small rings, seen from the guest's side."""

    def __init__(
        self,
        reply_room_bytes: int = 0,
        data_bytes: int = DATA_BYTES,
        *,
        id_zero_answered: bool = False,
    ) -> None:
        self.clock = BenchClock()
        self.owner = Owner()
        self.events: list[object] = []
        there = memoryview(bytearray(HEADER_BYTES + data_bytes))
        back = memoryview(bytearray(HEADER_BYTES + data_bytes))
        self.there, self.back = Ring(there), Ring(back)
        self.there.initialise()
        self.back.initialise()
        self.owner.worker = self.worker = ChannelWorker(
            relid=RELID,
            inbound=Ring(there, OPENVMM),
            outbound=Ring(back),
            owner=self.owner,
            on_signal=self.owner.signal,
            clock=self.clock,
            emit=self.events.append,
            window_ns=(100, 100),
            label="reply",
            reply_room_bytes=reply_room_bytes,
            id_zero_answered=id_zero_answered,
        )

    def write(self, text: str, number: int = 1) -> None:
        if self.there.write(VM_PKT_DATA_INBAND, 1, number, text.encode()):
            self.worker.signalled()

    def read_one(self) -> Packet | None:
        packet = self.back.read()
        if packet is not None and self.back.must_signal_space(packet.size + 8):
            self.worker.signalled()
        return packet


def test_requests_are_answered_in_order_one_a_turn() -> None:
    rig = Rig()
    for number, text in enumerate(("one", "two", "three"), start=1):
        rig.write(text, number)
    rig.clock.run_until(100)
    assert rig.owner.seen == ["one"]
    rig.clock.run_until(300)
    assert rig.owner.seen == ["one", "two", "three"]
    answers = [rig.read_one() for _ in range(3)]
    assert [p.transaction_id for p in answers if p is not None] == [1, 2, 3]
    assert rig.read_one() is None
    assert rig.owner.signals == 1  # only the first found an empty ring


@pytest.mark.wire_note("5.1d")
@pytest.mark.parametrize(("id_zero_answered", "answers"), [(False, []), (True, [0])])
def test_a_request_with_id_zero_is_served_but_answered_only_where_the_host_does_so(
    id_zero_answered: bool, answers: list[int]
) -> None:
    rig = Rig(id_zero_answered=id_zero_answered)
    rig.write("one", 0)
    rig.clock.run()
    assert rig.owner.seen == ["one"]
    assert [packet.transaction_id for packet in iter(rig.read_one, None)] == answers


@pytest.mark.wire_note("6.9a")
def test_a_full_ring_is_waited_for_and_nothing_is_dropped_or_overtaken() -> None:
    rig = Rig()
    texts = [f"packet {number}" for number in range(12)]
    for number, text in enumerate(texts):
        rig.worker.send(text.encode())
        assert rig.back.pending_send_sz or number < 8
    received = []
    while (packet := rig.read_one()) is not None:
        received.append(packet.payload.decode().rstrip("\0"))
        rig.clock.run()
    assert received == texts
    assert rig.back.pending_send_sz == 0


def test_nothing_is_read_while_something_waits_for_room() -> None:
    rig = Rig()
    for _ in range(8):
        rig.worker.send(bytes(8))
    rig.write("later")
    rig.clock.run()
    assert rig.owner.seen == []
    while rig.read_one() is not None:
        rig.clock.run()
    assert rig.owner.seen == ["later"]


@pytest.mark.wire_note("6.9a")
def test_a_worker_that_wants_room_for_any_reply_reads_only_with_an_empty_ring() -> None:
    rig = Rig(reply_room_bytes=39_680)
    rig.worker.send(b"unread")
    rig.write("waiting")
    rig.clock.run()
    assert rig.owner.seen == []
    assert rig.back.pending_send_sz == DATA_BYTES - 8
    rig.read_one()
    rig.clock.run()
    assert rig.owner.seen == ["waiting"]


def test_a_notice_takes_its_turn_and_waits_for_room() -> None:
    rig = Rig()
    for _ in range(7):
        rig.worker.send(bytes(8))
    rig.worker.request_turn(SlotNumber(5))
    rig.clock.run()
    assert rig.owner.seen == []
    while rig.read_one() is not None:
        rig.clock.run()
    assert rig.owner.seen == ["due 5"]


def test_a_stalled_worker_rests_and_then_goes_on() -> None:
    rig = Rig()
    rig.worker.stall(5_000)
    rig.write("late")
    rig.clock.run_until(5_000)
    assert rig.owner.seen == []
    rig.clock.run_until(5_100)
    assert rig.owner.seen == ["late"]


def test_a_stall_holds_back_a_turn_that_is_due_already() -> None:
    rig = Rig()
    rig.write("late")
    rig.worker.stall(5_000)
    rig.clock.run_until(5_000)
    assert rig.owner.seen == []
    rig.clock.run_until(5_100)
    assert rig.owner.seen == ["late"]


def test_what_is_sent_in_a_stall_goes_out_after_it_in_order() -> None:
    rig = Rig()
    rig.worker.stall(5_000)
    rig.worker.send(b"eject")
    rig.worker.complete(TransactionId(7), b"done")
    rig.write("request")
    rig.worker.stall(3_000)  # ends no sooner for that
    rig.clock.run_until(5_000)
    assert rig.read_one() is None
    rig.clock.run_until(5_100)
    rig.worker.send(b"now")
    sent = [packet.payload.rstrip(b"\0") for packet in iter(rig.read_one, None)]
    assert sent == [b"eject", b"done", b"request", b"now"]


def test_a_stopped_worker_touches_nothing_again() -> None:
    rig = Rig()
    rig.write("unread")
    rig.worker.stop()
    rig.worker.send(b"unsent")
    rig.worker.request_turn(SlotNumber(0))
    rig.clock.run()
    assert rig.owner.seen == []
    assert rig.read_one() is None
    assert rig.there.read_index == 0


@pytest.mark.parametrize("word", ["write_index", "read_index"])
def test_an_index_out_of_range_ends_the_work(word: str) -> None:
    rig = Rig()
    setattr(rig.there, word, 1 << 20)
    rig.worker.signalled()
    rig.clock.run()
    assert len(rig.owner.seen) == 1
    assert "out of range" in rig.owner.seen[0]


def test_an_index_out_of_range_in_the_other_ring_ends_the_work_of_a_sender() -> None:
    rig = Rig()
    rig.back.read_index = 1 << 20
    rig.worker.send(b"news")
    assert "out of range" in rig.owner.seen[0]


def test_a_damaged_descriptor_ends_the_work() -> None:
    rig = Rig()
    rig.there.write(VM_PKT_COMP + 1, 0, 0, b"?")
    rig.worker.signalled()
    rig.clock.run()
    assert "packet type" in rig.owner.seen[0]


def test_what_is_published_is_told() -> None:
    rig = Rig()
    rig.write("one", 9)
    rig.clock.run()
    (event,) = rig.events
    assert "host-to-guest" in repr(event)
    assert "transaction_id=9" in repr(event)
