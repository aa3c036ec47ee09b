# SPDX-License-Identifier: MIT
"""The rings are looked at whenever something passes."""

from __future__ import annotations

from host.events import ChannelOpened
from protocol.link import PacketPublished
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import play

ARRIVAL = next(case for case in GUEST_CASES if case.id == "rings-begin-zeroed")


def test_there_is_a_look_at_each_opening_and_packet_and_at_the_end() -> None:
    seen = play(ARRIVAL, "1.4").seen
    passed = [seq for kind in (ChannelOpened, PacketPublished) for seq, _ in seen.events(kind)]
    looked = [look.seq for look in seen.rings]
    assert set(passed) <= set(looked)
    assert looked == sorted(looked)
    assert looked[-1] == len(seen.trace)


def test_a_look_tells_what_lies_in_a_ring() -> None:
    seen = play(ARRIVAL, "1.4").seen
    (first, *_) = (seq for seq, _ in seen.events(PacketPublished))
    words = next(look for look in seen.rings if look.seq == first).to_host
    assert (words.write_index, words.read_index, words.unread_bytes) == (32, 0, 32)
    assert seen.rings[-1].to_host.unread_bytes == 0
