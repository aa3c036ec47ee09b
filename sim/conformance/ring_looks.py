# SPDX-License-Identifier: MIT
"""The rings as memory, looked at while a guest lives: their words, whenever something passes.

Both ends see them, so they are part of the border; but nobody says when he writes one. Knows no
case, and no guest but by its rings.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from host.events import ChannelOpened
from protocol.hypercall import HVCALL_SIGNAL_EVENT
from protocol.ids import RelId
from protocol.link import HypercallMade, PacketPublished
from protocol.ring import Ring
from sim.world import World

PASSING: Final = (ChannelOpened, PacketPublished)


class RingWords(NamedTuple):
    """A ring's control words. ``others_zero``: nothing else stands in their page."""

    write_index: int
    read_index: int
    interrupt_mask: int
    pending_send_sz: int
    feature_bits: int
    others_zero: bool
    data_bytes: int

    @property
    def unread_bytes(self) -> int:
        """Bytes that wait to be read."""
        return (self.write_index - self.read_index) % self.data_bytes


class RingLook(NamedTuple):
    """Both rings of a channel when the event at ``seq`` had just happened."""

    seq: int
    relid: RelId
    to_host: RingWords
    to_guest: RingWords


class RingLooks:
    """Looks at all open channels when one opens, a packet is published, or the guest signals."""

    def __init__(self) -> None:
        self._found: list[RingLook] = []

    def __call__(self, world: World, event: Any) -> None:
        """Something has happened in that world."""
        if isinstance(event, PASSING) or _is_signal(event):
            self._look(world, len(world.happened) - 1)

    def taken(self, world: World) -> tuple[RingLook, ...]:
        """What was seen of a world that has ended, its end included."""
        self._look(world, len(world.happened))
        return tuple(self._found)

    def _look(self, world: World, seq: int) -> None:
        for relid, (to_host, to_guest) in world.partition.rings().items():
            self._found.append(RingLook(seq, relid, _words_of(to_host), _words_of(to_guest)))


def _is_signal(event: Any) -> bool:
    return isinstance(event, HypercallMade) and event.code == HVCALL_SIGNAL_EVENT


def _words_of(ring: Ring) -> RingWords:
    return RingWords(
        ring.write_index,
        ring.read_index,
        ring.interrupt_mask,
        ring.pending_send_sz,
        ring.feature_bits,
        ring.reserved_is_zero(),
        ring.data_bytes,
    )
