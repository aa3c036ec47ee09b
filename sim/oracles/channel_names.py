# SPDX-License-Identifier: MIT
"""One number for each channel as laws see it, though a guest that hibernates gets another.

A channel is called by the number it was first offered under for as long as its offer stands; so a
law that keeps something by relid need not know of hibernation. Knows no law.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from host.events import ChannelMoved, ChannelOffered
from protocol.ids import RelId
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType, VmbusChannelRelidReleased

RENAMING: Final = frozenset({ChannelMoved, ChannelOffered})
NO_RELID: Final = -1
RELEASED: Final = int(ChannelMessageType.CHANNELMSG_RELID_RELEASED).to_bytes(4, "little")
BEYOND: Final = 1 << 16  # no host has such a relid: for a channel whose number is another's name


class ChannelNames:
    """``changed`` turns true with the first channel that has another number than name."""

    __slots__ = ("_beyond", "_first", "changed")

    def __init__(self) -> None:
        self._first: dict[int, int] = {}  # by the number it has now
        self._beyond = BEYOND
        self.changed = False

    def first(self, event: Any) -> Any:
        """The event, with its channel's name in place of its number."""
        if type(event) is ChannelMoved:
            self._first[event.relid] = self._first.pop(event.before, event.before)
            self.changed = True
            return event
        if type(event) is ChannelOffered:
            self._offered(event.relid)
        if type(event) is MessagePosted:
            return self._released(event)
        name = self._first.get(getattr(event, "relid", NO_RELID))
        return event if name is None else replace(event, relid=name)

    def _released(self, event: MessagePosted) -> MessagePosted:
        """RELID_RELEASED, the one control message that laws take a number out of."""
        if event.payload[: len(RELEASED)] != RELEASED:
            return event
        relid = VmbusChannelRelidReleased.parse(event.payload).child_relid
        name = RelId(self._first.get(relid, relid))
        return replace(event, payload=VmbusChannelRelidReleased(child_relid=name).build())

    def _offered(self, relid: int) -> None:
        """A new channel: its own number is its name, unless another one goes by that."""
        self._first.pop(relid, None)
        if relid in self._first.values():
            self._first[relid] = self._beyond
            self._beyond += 1
