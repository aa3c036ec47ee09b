# SPDX-License-Identifier: MIT
"""The channels a VMBus server has: relids, instances, and who waits for whose release.

Keeps the books in constant or logarithmic time per change; sends nothing and decides no state.
"""

from collections.abc import Iterator
from enum import Enum
from heapq import heappop, heappush
from typing import Final, TypeAlias

from host.vmbus_effects import Offer
from protocol.channel_states import CHANNEL_TRANSITIONS, ChannelInput, ChannelState
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.ids import GpadlId, RelId, VpIndex
from protocol.transitions import advance
from protocol.vmbus import HV_EVENT_FLAGS_COUNT

# Model: real numbering is not established. Relids count from 1 and the lowest free one is given.
FIRST_RELID: Final = 1
MAX_CHANNELS: Final = HV_EVENT_FLAGS_COUNT - FIRST_RELID  # a relid is an event flag's number

_Instance: TypeAlias = tuple[int, int, int]  # interface and instance id, sub-channel


class Reoffer(Enum):
    """When an instance that was rescinded is offered again. Real Hyper-V's choice is not
    established. Linux drops an offer whose instance it still holds (``vmbus_process_offer``)."""

    AFTER_RELEASE = "after-release"  # default, as OpenVMM: once the guest released the old relid
    AT_ONCE = "at-once"


class Renumber(Enum):
    """Which relid a channel is offered under to the next connection of its guest. Linux is ready
    for another one (``vmbus_onoffer``); which it is on Hyper-V is not established."""

    OTHER = "other"  # default: the numbers count on
    SAME = "same"


class Channel:
    """One channel as the server keeps it; its state moves by ``CHANNEL_TRANSITIONS`` only."""

    __slots__ = ("gpadls", "holder", "offer", "openid", "relid", "remembered", "ring", "state",
                 "target_vp")  # fmt: skip

    def __init__(self, relid: RelId, offer: Offer, holder: "Channel | None") -> None:
        self.relid = relid
        self.offer = offer
        self.holder = holder  # the rescinded channel of the same instance that is waited for
        self.state = ChannelState.UNOFFERED
        self.gpadls: list[GpadlId] = []
        self.ring = GpadlId(0)
        self.openid = 0
        self.target_vp: VpIndex | None = None
        self.remembered = False  # by a guest that has gone and may come back, under this relid

    def step(self, happened: ChannelInput, fault: type[ProtocolError]) -> None:
        try:
            self.state = advance(CHANNEL_TRANSITIONS, self.state, happened, fault)
        except ProtocolError as error:
            raise fault(f"channel {self.relid}: {error}") from None


class ChannelBook:
    """All channels by relid, and the youngest of each instance.

    ``get(relid)`` is the dictionary's own: asked at every signal, either way.
    """

    __slots__ = (
        "_by_relid",
        "_free_relids",
        "_newest",
        "_next_relid",
        "_reoffer",
        "_successors",
        "get",
    )

    def __init__(self, reoffer: Reoffer) -> None:
        self._reoffer = reoffer
        self._by_relid: dict[RelId, Channel] = {}
        self.get: Final = self._by_relid.get
        self._newest: dict[_Instance, Channel] = {}
        self._successors: dict[RelId, Channel] = {}  # by the relid whose release they wait for
        self._free_relids: list[RelId] = []  # a heap
        self._next_relid = FIRST_RELID

    def __iter__(self) -> Iterator[Channel]:
        """In the order in which they were added."""
        return iter(self._by_relid.values())

    def add(self, offer: Offer) -> Channel:
        """A new channel; ``holder`` says whose release it has to wait for, if any.

        :raises LocalProtocolError: the instance is offered already, or no relid is free.
        """
        instance = _instance_of(offer)
        holder = self._newest.get(instance)
        if holder is not None and holder.state is not ChannelState.RESCINDED:
            raise LocalProtocolError(f"{offer.instance_id} is offered as {holder.relid} already")
        if self._reoffer is Reoffer.AT_ONCE:
            holder = None
        channel = Channel(self._take_relid(), offer, holder)
        self._by_relid[channel.relid] = self._newest[instance] = channel
        if holder is not None:
            self._successors[holder.relid] = channel
        return channel

    def remove(self, channel: Channel) -> Channel | None:
        """Give the relid back; the channel that waited for that and waits no longer, if any."""
        instance, relid = _instance_of(channel.offer), channel.relid
        del self._by_relid[relid]
        if not channel.remembered:
            heappush(self._free_relids, relid)
        if channel.holder is not None:
            del self._successors[channel.holder.relid]
        if self._newest[instance] is channel:
            if channel.holder is None:
                del self._newest[instance]
            else:
                self._newest[instance] = channel.holder
        successor = self._successors.pop(relid, None)
        if successor is not None:
            successor.holder = None
        return successor

    def renumber(self, channel: Channel) -> RelId:
        """Give a channel that nobody holds the next number, and return the one it had.

        Its own again where all are taken.
        """
        before = channel.relid
        heappush(self._free_relids, before)
        del self._by_relid[before]
        unused = self._next_relid <= MAX_CHANNELS
        channel.relid = self._take_next() if unused else heappop(self._free_relids)
        channel.remembered = False
        self._by_relid[channel.relid] = channel
        return before

    def _take_relid(self) -> RelId:
        if self._free_relids:
            return heappop(self._free_relids)
        if len(self._by_relid) >= MAX_CHANNELS:
            raise LocalProtocolError(f"all {MAX_CHANNELS} relids are in use")
        return self._take_next()

    def _take_next(self) -> RelId:
        self._next_relid += 1
        return RelId(self._next_relid - 1)


def _instance_of(offer: Offer) -> _Instance:
    return offer.interface_id.int, offer.instance_id.int, offer.sub_channel_index
