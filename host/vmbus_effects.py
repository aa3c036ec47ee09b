# SPDX-License-Identifier: MIT
"""What a VMBus server asks of its surroundings, and what it is asked to offer. Values only."""

from typing import TypeAlias
from uuid import UUID

import msgspec

from protocol.ids import Gpa, RelId, VpIndex
from protocol.vmbus import VPCI_INTERFACE_TYPE


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What a host device offers: one channel. The defaults are those of a vPCI bus."""

    instance_id: UUID
    interface_id: UUID = VPCI_INTERFACE_TYPE
    chn_flags: int = 0
    mmio_megabytes: int = 0
    sub_channel_index: int = 0


class PostToGuest(msgspec.Struct, frozen=True, gc=False):
    """Put a control message into SINT 2's slot of that VP."""

    vp: VpIndex
    payload: bytes  # at most 240 bytes


class OpenRing(msgspec.Struct, frozen=True, gc=False):
    """The guest opens a channel: map its rings, then answer with ``VmbusServer.opened``.

    The first ``downstream_page`` pages are the guest-to-host ring, the rest host-to-guest; each
    begins with its header page.
    """

    relid: RelId
    pages: tuple[Gpa, ...]  # guest physical address of every page, in order
    downstream_page: int
    target_vp: VpIndex | None  # who gets the channel's event flag; None: the guest polls
    userdata: bytes


class CloseRing(msgspec.Struct, frozen=True, gc=False):
    """The channel's rings may no longer be touched: closed, rescinded, or the guest is gone."""

    relid: RelId


class ChannelRetargeted(msgspec.Struct, frozen=True, gc=False):
    """The channel's event flag goes to another VP from now on."""

    relid: RelId
    target_vp: VpIndex


class ChannelFreed(msgspec.Struct, frozen=True, gc=False):
    """Nobody knows that relid any more; it may be given to another channel."""

    relid: RelId


class ChannelRenumbered(msgspec.Struct, frozen=True, gc=False):
    """The channel is offered to the next connection under another number."""

    before: RelId
    relid: RelId


Effect: TypeAlias = (
    PostToGuest | OpenRing | CloseRing | ChannelRetargeted | ChannelFreed | ChannelRenumbered
)
