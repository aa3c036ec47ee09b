# SPDX-License-Identifier: MIT
"""A worker at which things go wrong, each when it is asked for and never otherwise."""

from __future__ import annotations

import pytest

from host.channel_worker import ChannelWorker
from host.unreliable import REFUSAL, SLOW_NS, Contrary, workers
from host.vsp.inputs import FaultArmed, InvalidationDue, PacketReceived, RingBroken
from host.vsp.leftovers import failure
from protocol.ids import RelId, TransactionId
from protocol.link import PacketPublished
from protocol.ring import HEADER_BYTES, Ring
from protocol.ring_rules import OPENVMM
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType
from sim.peer.bench_clock import BenchClock

EJECT = int(MessageType.PCI_EJECT).to_bytes(4, "little") + bytes(12)
D0 = int(MessageType.PCI_BUS_D0ENTRY).to_bytes(4, "little") + bytes(12)


class Imp:
    """Does each mischief once, at the message it was told; remembers what it was asked."""

    def __init__(self, **wishes: str) -> None:
        self.wishes = wishes
        self.asked: list[tuple[str, str]] = []

    def _does(self, deed: str, what: str) -> bool:
        self.asked.append((deed, what))
        if self.wishes.get(deed) != what:
            return False
        del self.wishes[deed]
        return True

    def loses(self, what: str) -> bool:
        return self._does("loses", what)

    def doubles(self, what: str) -> bool:
        return self._does("doubles", what)

    def refuses(self, what: str) -> bool:
        return self._does("refuses", what)

    def delays(self, what: str) -> bool:
        return self._does("delays", what)

    def fails_call(self, what: str) -> bool:
        return self._does("fails_call", what)


class Vsp:
    """Remembers what it is fed."""

    def __init__(self) -> None:
        self.fed: list[object] = []

    def feed(self, input_: PacketReceived | InvalidationDue | RingBroken | FaultArmed) -> None:
        self.fed.append(input_)


class Rig:
    """An unreliable worker over two small rings, seen from the guest's side."""

    def __init__(self, imp: Imp) -> None:
        self.clock = BenchClock()
        self.vsp = Vsp()
        self.events: list[object] = []
        there, back = (memoryview(bytearray(HEADER_BYTES + 512)) for _ in range(2))
        self.there, self.back = Ring(there), Ring(back)
        self.there.initialise()
        self.back.initialise()
        self.worker = workers(imp)("nvme0")(
            relid=RelId(3),
            inbound=Ring(there, OPENVMM),
            outbound=Ring(back),
            owner=self.vsp,
            on_signal=lambda _: None,
            clock=self.clock,
            emit=self.events.append,
            window_ns=(100, 100),
            label="reply",
            reply_room_bytes=0,
            id_zero_answered=False,
        )

    def received(self) -> list[bytes]:
        packets = []
        while packet := self.back.read():
            packets.append(packet.payload[:4])
        return packets

    def request(self, payload: bytes, flags: int = 1) -> None:
        if self.there.write(VM_PKT_DATA_INBAND, flags, 7, payload):
            self.worker.signalled()


def test_without_mischief_the_worker_is_the_reliable_one_itself() -> None:
    assert workers(None)("nvme0") is ChannelWorker


def test_a_packet_can_get_lost_and_the_next_one_comes() -> None:
    rig = Rig(Imp(loses="PCI_EJECT nvme0"))
    rig.worker.send(EJECT)
    assert rig.received() == []
    assert rig.events == []
    rig.worker.send(EJECT)
    assert rig.received() == [EJECT[:4]]


@pytest.mark.parametrize("what", ["PCI_EJECT nvme0", "VM_PKT_COMP nvme0"])
def test_a_packet_can_come_twice(what: str) -> None:
    rig = Rig(Imp(doubles=what))
    if "COMP" in what:
        rig.worker.complete(TransactionId(7), EJECT)
    else:
        rig.worker.send(EJECT)
    assert rig.received() == [EJECT[:4]] * 2
    kinds = [event.packet_type for event in rig.events if isinstance(event, PacketPublished)]
    assert kinds == [VM_PKT_COMP if "COMP" in what else VM_PKT_DATA_INBAND] * 2


def test_what_finds_no_room_is_not_doubled_before_it_is_written() -> None:
    imp = Imp()
    rig = Rig(imp)
    for _ in range(2):
        rig.worker.send(EJECT + bytes(300))
    assert [deed for deed, _ in imp.asked] == ["loses", "doubles", "loses"]


def test_a_request_can_be_refused_before_it_is_looked_at() -> None:
    rig = Rig(Imp(refuses="PCI_BUS_D0ENTRY nvme0"))
    rig.request(D0)
    rig.clock.run_until(100)
    armed, packet = rig.vsp.fed
    assert armed == failure("nvme0", MessageType.PCI_BUS_D0ENTRY, REFUSAL)
    assert isinstance(packet, PacketReceived)


def test_nobody_asks_whether_to_refuse_what_wants_no_answer() -> None:
    imp = Imp()
    rig = Rig(imp)
    rig.request(D0, flags=0)
    rig.clock.run_until(100)
    assert len(rig.vsp.fed) == 1
    assert "refuses" not in [deed for deed, _ in imp.asked]


def test_a_request_without_a_type_is_called_a_packet() -> None:
    imp = Imp()
    Contrary(Vsp(), "nvme0", imp).feed(
        PacketReceived(VM_PKT_DATA_INBAND, TransactionId(1), True, b"")
    )
    assert imp.asked == [("refuses", "packet nvme0")]


def test_a_slow_host_takes_its_next_turn_eleven_seconds_later() -> None:
    imp = Imp(delays="turn nvme0")
    rig = Rig(imp)
    rig.request(D0)
    rig.worker.signalled()
    assert imp.asked == [("delays", "turn nvme0")]  # not again while a turn is due
    rig.worker.send(EJECT)
    rig.clock.run_until(SLOW_NS)
    assert rig.vsp.fed == []
    assert rig.received() == []
    rig.clock.run_until(SLOW_NS + 200)
    assert len(rig.vsp.fed) == 1
    assert rig.received() == [EJECT[:4]]
