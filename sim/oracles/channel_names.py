# SPDX-License-Identifier: MIT
"""One number for each channel as laws see it, though a guest that hibernates gets another.

A channel is called by the number it was first offered under for as long as its offer stands; so a
law that keeps something by relid need not know of hibernation. What is taken away and offered again
while the machine is off is the same channel to the guest. Knows no law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from guest.events import MachinePoweredOff, MachinePoweredOn, RescindFlagRaised
from host.events import ChannelMoved, ChannelOffered
from protocol.ids import RelId
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType, VmbusChannelRelidReleased

RENAMING: Final = frozenset(
    {ChannelMoved, ChannelOffered, RescindFlagRaised, MachinePoweredOff, MachinePoweredOn}
)
NO_RELID: Final = -1
RELEASED: Final = int(ChannelMessageType.CHANNELMSG_RELID_RELEASED).to_bytes(4, "little")
BEYOND: Final = 1 << 16  # no host has such a relid: for a channel whose number is another's name


class ChannelNames:
    """``changed`` turns true with the first channel that has another number than name."""

    __slots__ = ("_beyond", "_first", "_held", "_off", "changed")

    def __init__(self) -> None:
        self._first: dict[int, int] = {}  # by the number it has now
        self._held: dict[str, RelId] = {}  # by bus: the last number of what the guest has
        self._off = False
        self._beyond = BEYOND
        self.changed = False

    def first(self, event: Any) -> Any:
        """The event, with its channel's name in place of its number."""
        handler = self._HANDLERS.get(type(event))
        return self._named(event) if handler is None else handler(self, event)

    def _named(self, event: Any) -> Any:
        name = self._first.get(getattr(event, "relid", NO_RELID))
        return event if name is None else replace(event, relid=name)

    def _moved(self, event: ChannelMoved) -> ChannelMoved:
        self._first[event.relid] = self._first.pop(event.before, event.before)
        self._held[event.bus] = event.relid
        self.changed = True
        return event

    def _offered(self, event: ChannelOffered) -> Any:
        """A new channel: its own number is its name, unless another one goes by that."""
        bus, relid = event.bus, event.relid
        if self._off and bus in self._held:
            return self._moved(ChannelMoved(bus, self._held[bus], relid))
        self._held[bus] = relid
        self._first.pop(relid, None)
        if relid in self._first.values():
            self._first[relid] = self._beyond
            self._beyond += 1
        return self._named(event)

    def _rescinded(self, event: RescindFlagRaised) -> Any:
        self._held = {bus: relid for bus, relid in self._held.items() if relid != event.relid}
        return self._named(event)

    def _switched(self, event: MachinePoweredOff | MachinePoweredOn) -> Any:
        self._off = isinstance(event, MachinePoweredOff)
        return event

    def _released(self, event: MessagePosted) -> MessagePosted:
        """RELID_RELEASED, the one control message that laws take a number out of."""
        if event.payload[: len(RELEASED)] != RELEASED:
            return event
        relid = VmbusChannelRelidReleased.parse(event.payload).child_relid
        name = RelId(self._first.get(relid, relid))
        return replace(event, payload=VmbusChannelRelidReleased(child_relid=name).build())

    _HANDLERS: ClassVar[Mapping[type, Callable[[ChannelNames, Any], Any]]] = {
        ChannelMoved: _moved,
        ChannelOffered: _offered,
        RescindFlagRaised: _rescinded,
        MachinePoweredOff: _switched,
        MachinePoweredOn: _switched,
        MessagePosted: _released,
    }
