# SPDX-License-Identifier: MIT
"""A request id is completed at most once for each request that was sent under it.

Ids are used again as soon as they are free, by an answer or because the asker took its id back: so
an id counts from the last packet that carried it. hv_ringbuffer_write() takes an id before it
publishes the packet, so that a late answer to an earlier holder of that id, or a forged one, may
complete a request that is just being sent: then its packet must follow.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from guest.events import KernelCrashed, RequestCompleted
from host.events import ChannelClosed, ChannelOffered
from protocol.link import PacketPublished
from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from sim.oracles.law import FROM_GUEST, Finding, Law, Sees, forget_all


class RequestIds(Law):
    """By relid: ``open`` are the ids under which a request waits, ``early`` those that were
    completed before their packet was there."""

    name = "a request id completes at most once"
    kind = "protocol"

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        self._early: dict[int, set[int]] = {}

    def _fresh(self, event: ChannelOffered | ChannelClosed, *_: object) -> None:
        self._open.pop(event.relid, None)
        self._early.pop(event.relid, None)

    def _published(self, event: PacketPublished, _at_ns: int, _context: object) -> None:
        if event.flags != VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED:
            return
        early = self._early.get(event.relid, set())
        if event.transaction_id in early:
            early.remove(event.transaction_id)
        else:
            self._open.setdefault(event.relid, set()).add(event.transaction_id)

    def _completed(self, event: RequestCompleted, _at_ns: int, _context: object) -> Finding:
        number = event.transaction_id
        waiting = self._open.get(event.relid, set())
        if number in waiting:
            waiting.remove(number)
            return None
        early = self._early.setdefault(event.relid, set())
        if number in early:
            return self._never_sent((number,))
        early.add(number)
        return None

    def _never_sent(self, ids: Collection[int]) -> Finding:
        return f"request {min(ids)} completed, which nobody had sent" if ids else None

    def _crashed(self, *_: object) -> None:
        forget_all(self._open, self._early)

    def end(self, _at_ns: int) -> Finding:
        """Every request that was completed has been sent by now."""
        return self._never_sent(set().union(*self._early.values()))

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _fresh,
        ChannelClosed: _fresh,
        FROM_GUEST: _published,
        RequestCompleted: _completed,
    }
