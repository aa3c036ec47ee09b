# SPDX-License-Identifier: MIT
"""A request id is completed at most once for each request that was sent under it.

Ids are used again as soon as they are free, by an answer or because the asker took its id back: so
an id counts from the last packet that carried it.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed, RequestCompleted
from host.events import ChannelClosed, ChannelOffered
from protocol.link import PacketPublished
from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from sim.oracles.law import FROM_GUEST, Finding, Law, Sees


class RequestIds(Law):
    """``open`` are the ids under which a request waits, by relid."""

    name = "a request id completes at most once"
    kind = "protocol"

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}

    def _fresh(self, event: ChannelOffered | ChannelClosed, *_: object) -> None:
        self._open.pop(event.relid, None)

    def _published(self, event: PacketPublished, _at_ns: int, _context: object) -> None:
        if event.flags == VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED:
            self._open.setdefault(event.relid, set()).add(event.transaction_id)

    def _completed(self, event: RequestCompleted, _at_ns: int, _context: object) -> Finding:
        waiting = self._open.get(event.relid)
        if waiting is None or event.transaction_id not in waiting:
            return f"request {event.transaction_id} completed, which nobody had sent"
        waiting.remove(event.transaction_id)
        return None

    def _crashed(self, *_: object) -> None:
        self._open.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _fresh,
        ChannelClosed: _fresh,
        FROM_GUEST: _published,
        RequestCompleted: _completed,
    }
