# SPDX-License-Identifier: MIT
"""A channel whose rescind the guest has noticed is released to the host once, with RELID_RELEASED.

Only then may the host use the number for another channel. Not of a bus that hibernates: a root bus
that its driver's removal leaves alone keeps the device, and so the number (open items O8, O33).
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

from guest.events import (
    DriverRemoved,
    FunctionReturned,
    KernelCrashed,
    ProcessesFrozen,
    RescindFlagRaised,
    RootBusRemovalBegan,
)
from host.events import ChannelMoved, ChannelOffered
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType, VmbusChannelRelidReleased
from sim.oracles.hibernation import Hibernations
from sim.oracles.law import HEAD_BYTES, Finding, Law, OpenItem, Sees, forget_all

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
        self._whole: set[int] = set()  # relids whose root bus goes with their driver
        self._kept: dict[int, str] = {}  # why a device stays, as an open item
        self._hibernations = Hibernations()

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._owed.pop(event.relid, None)
        self._released.discard(event.relid)

    def _moved(self, event: ChannelMoved, *_: object) -> None:
        """Messages have the channel's number, other events its name (``channel_names``)."""
        self._names[event.relid] = self._names.pop(event.before, event.before)

    def _hibernates(self, event: ProcessesFrozen | FunctionReturned, *_: object) -> None:
        self._hibernations.see(event)

    def _began(self, event: RootBusRemovalBegan, *_: object) -> None:
        self._whole.add(event.relid)

    def _removed(self, event: DriverRemoved, *_: object) -> None:
        if event.relid in self._whole:
            self._whole.discard(event.relid)
        elif event.relid in self._hibernations.half_down:
            self._kept[event.relid] = "O8"
        elif self._hibernations.under_way:
            self._kept[event.relid] = "O33"

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
        forget_all(self._owed, self._released, self._whole, self._kept)
        self._hibernations = Hibernations()

    def end(self, _at_ns: int) -> Finding:
        """Every rescind has had its end; what no item explains is told first."""
        for relid in sorted(self._owed, key=self._kept.__contains__):
            message = f"channel {relid} was rescinded and never released"
            return OpenItem(self._kept[relid], message) if relid in self._kept else message
        return None

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChannelMoved: _moved,
        DriverRemoved: _removed,
        FunctionReturned: _hibernates,
        ProcessesFrozen: _hibernates,
        RootBusRemovalBegan: _began,
        RescindFlagRaised: _raised,
        MessagePosted: _posted,
    }
