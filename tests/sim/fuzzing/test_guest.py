# SPDX-License-Identifier: MIT
"""A hundred thousand packets that no host should send: the guest lives, or dies as Linux would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guest.defects.open_items import OPEN_ITEMS
from guest.events import PacketDropped
from guest.kernel.faults import UseAfterFree
from guest.kernel.memory import Heap
from guest.pci_hyperv.channel import Channel
from guest.vmbus.offers import Offers
from protocol.ids import RelId
from protocol.ring import DESCRIPTOR_BYTES
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, PciBusRelations2, PciDevIncoming
from sim.fuzzing.campaign import PACKETS_A_PART, campaign, play
from sim.fuzzing.guest_answers import answered, loses_step, refusal, unsaid
from sim.fuzzing.guest_laws import CHILDREN_MAX
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.telling import Broken
from tests.sim.fuzzing.figures import PARTS, assert_as_documented, figures

SEED = 0


@pytest.mark.parametrize("part", range(PARTS))
def test_a_guest_lives_through_what_no_host_should_send(part: int) -> None:
    tally = campaign("guest", SEED, part=part)
    assert tally.survived >= PACKETS_A_PART, tally
    assert {item for end in tally.ended_by for item in end.split(", ")} <= set(OPEN_ITEMS), tally
    assert tally.counts["rescind"] > 0, tally  # not every life ends so
    documented = figures("guest")
    ends = {row.removeprefix("ended in ") for row in documented if row.startswith("ended in ")}
    assert set(tally.ended_by) <= ends, tally
    told = {f"ended in {items}": count for items, count in tally.ended_by.items()}
    assert_as_documented({"lives": tally.lives, **told}, documented)


def test_what_ends_a_life_is_not_survived() -> None:
    trail = next(ended for life in range(60) if (ended := play("guest", SEED, life)).ended_by)
    assert 0 < trail.survived < trail.packets
    assert trail.survived + trail.unjudged <= trail.packets


def test_the_same_seed_and_number_are_the_same_life() -> None:
    once, again = play("guest", SEED, 7), play("guest", SEED, 7)
    assert (once.packets, once.counts, once.steps) == (again.packets, again.counts, again.steps)


def broken_lives() -> Iterator[str]:
    """What the first lives that end badly say."""
    for life in range(60):
        try:
            play("guest", SEED, life)
        except Broken as broken:
            yield str(broken)


def test_a_guest_that_drops_in_silence_is_found_and_told_with_its_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Channel, "drop", lambda *_: None)
    told = next(broken_lives())
    assert "nobody was told that it was refused" in told or "neither taken nor refused" in told
    assert "python -m benchmarks.fuzz guest --seed 0 --life " in told


def test_a_fault_that_is_no_open_item_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fall(*_: object) -> None:
        raise UseAfterFree("a buffer read after its lifetime")

    monkeypatch.setattr(Channel, "take_message", fall)
    assert "use-after-free" in next(broken_lives())


def test_a_model_that_falls_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object) -> None:
        raise KeyError(1)

    monkeypatch.setattr(Offers, "map_relid", fall)
    assert "KeyError(1)" in next(broken_lives())


REFUSED = {
    "neither": RawPacket(bytes(8), packet_type=7),
    "does not know": RawPacket(bytes(8)),
    "cut short": RawPacket(PciBusRelations2().build()[:4] + (2).to_bytes(4, "little")),
}


@pytest.mark.parametrize(("why", "packet"), REFUSED.items(), ids=list(REFUSED))
def test_what_linux_refuses_is_known_without_asking_the_model(why: str, packet: RawPacket) -> None:
    told = refusal(packet)
    assert told is not None
    assert why in told


def test_among_many_packets_none_is_refused_in_silence() -> None:
    packets = list(REFUSED.values())
    dropped = [PacketDropped(RelId(1), "") for _ in packets]
    assert not unsaid(packets, dropped, logged=True)
    assert unsaid(packets, dropped, logged=False)
    assert unsaid(packets, dropped[:-1], logged=True)


def test_a_guest_that_forgets_to_free_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heap, "free", lambda *_: None)
    assert "objects where" in next(broken_lives())


@pytest.mark.parametrize(
    "packet",
    [
        RawPacket(b""),
        RawPacket(PciDevIncoming(MessageType.PCI_EJECT, 0).build()),
        RawPacket(bytes(8), packet_type=VM_PKT_COMP),
    ],
)
def test_what_linux_skips_or_takes_is_not_refused(packet: RawPacket) -> None:
    assert refusal(packet) is None
    assert answered(packet) == (packet.packet_type == VM_PKT_COMP)


def test_a_reader_loses_step_where_lengths_lie_or_a_packet_is_larger_than_its_buffer() -> None:
    assert not loses_step(RawPacket(bytes(4096 - DESCRIPTOR_BYTES)))
    assert loses_step(RawPacket(bytes(4097 - DESCRIPTOR_BYTES)))
    assert loses_step(RawPacket(bytes(8), len8=2))
    assert CHILDREN_MAX > 145  # functions of a list of version 1.3
