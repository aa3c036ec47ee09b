# SPDX-License-Identifier: MIT
"""A channel whose rescind the guest has noticed is released to the host once, with RELID_RELEASED.

Only then may the host use the number for another channel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

from guest.events import KernelCrashed, RescindFlagRaised
from host.events import ChannelMoved, ChannelOffered
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType, VmbusChannelRelidReleased
from sim.oracles.law import HEAD_BYTES, Finding, Law, Sees, forget_all

RELEASED: Final = int(ChannelMessageType.CHANNELMSG_RELID_RELEASED).to_bytes(HEAD_BYTES, "little")
RELIDS_KEPT: Final = 4096  # more channels than a VM may have


@lru_cache(maxsize=RELIDS_KEPT)
def _relid(payload: bytes) -> int:
    return VmbusChannelRelidReleased.parse(payload).child_relid


class RelidsReleased(Law):
    """``owed`` are the channels that were rescinded and not yet released."""

    name = "a rescinded channel is released exactly once"
    kind = "leak"

    def __init__(self) -> None:
        self._owed: dict[int, None] = {}
        self._released: set[int] = set()
        self._names: dict[int, int] = {}  # by the number a channel has now

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._owed.pop(event.relid, None)
        self._released.discard(event.relid)

    def _moved(self, event: ChannelMoved, *_: object) -> None:
        """Messages have the channel's number, other events its name (``channel_names``)."""
        self._names[event.relid] = self._names.pop(event.before, event.before)

    def _raised(self, event: RescindFlagRaised, *_: object) -> None:
        self._owed[event.relid] = None

    def _posted(self, event: MessagePosted, *_: object) -> Finding:
        if event.payload[:HEAD_BYTES] != RELEASED or event.direction != "guest-to-host":
            return None
        number = _relid(event.payload)
        relid = self._names.get(number, number)
        if relid in self._released:
            return f"channel {relid} was released twice"
        self._released.add(relid)
        self._owed.pop(relid, None)
        return None

    def _crashed(self, *_: object) -> None:
        forget_all(self._owed, self._released)

    def end(self, _at_ns: int) -> Finding:
        """Every rescind has had its end."""
        for relid in self._owed:
            return f"channel {relid} was rescinded and never released"
        return None

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChannelMoved: _moved,
        RescindFlagRaised: _raised,
        MessagePosted: _posted,
    }
