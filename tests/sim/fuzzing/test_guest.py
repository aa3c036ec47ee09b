# SPDX-License-Identifier: MIT
"""A hundred thousand packets that no host should send: the guest lives, or dies as Linux would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guest.defects.open_items import OPEN_ITEMS
from guest.kernel.faults import UseAfterFree
from guest.pci_hyperv.channel import Channel
from guest.vmbus.offers import Offers
from protocol.ring import DESCRIPTOR_BYTES
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, PciBusRelations2, PciDevIncoming
from sim.fuzzing.campaign import campaign, play
from sim.fuzzing.guest_answers import answered, loses_step, refusal
from sim.fuzzing.guest_laws import CHILDREN_MAX
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.telling import Broken

SEED = 0
SHARDS = 10
LIVES_APART = 1000  # more than a shard has
PACKETS_A_SHARD = 10_000


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_guest_lives_through_what_no_host_should_send(shard: int) -> None:
    tally = campaign("guest", SEED, first=shard * LIVES_APART, packets=PACKETS_A_SHARD)
    ends = [what.removeprefix("ended by ") for what in tally.counts if what.startswith("ended by")]
    assert {item for end in ends for item in end.split(", ")} <= set(OPEN_ITEMS)
    assert tally.counts["rescind"] > 0  # not every life ends so


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
