# SPDX-License-Identifier: MIT
"""Once the guest has set a channel's rescind flag it sends nothing more on it.

The host no longer reads that ring. CLOSECHANNEL and RELID_RELEASED are control messages and no ring
packets. hv_ringbuffer_write() looks at the flag first and publishes later, so that whoever was in
between when the flag went up may still publish that one packet; not so the context that set it.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import RescindFlagRaised
from host.events import ChannelOffered
from protocol.link import PacketPublished
from sim.oracles.law import AWAKE, FROM_GUEST, Finding, Law, Sees


class SilenceAfterRescind(Law):
    """``late`` are, by relid, the contexts that may not publish any more."""

    name = "no ring packet is sent after the channel's rescind flag was set"
    kind = "protocol"

    def __init__(self) -> None:
        self._late: dict[int, set[object]] = {}

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._late.pop(event.relid, None)

    def _raised(self, event: RescindFlagRaised, _at_ns: int, context: object) -> Finding:
        self._late[event.relid] = {context}
        return AWAKE

    def _published(self, event: PacketPublished, _at_ns: int, context: object) -> Finding:
        late = self._late.get(event.relid)
        if late is None:
            return None
        if context in late:
            return f"a packet on channel {event.relid}, which was rescinded before"
        late.add(context)
        return None

    def _crashed(self, *_: object) -> None:
        self._late.clear()

    sees: ClassVar[Sees] = {ChannelOffered: _offered, RescindFlagRaised: _raised}
    sees_awake: ClassVar[Sees] = {FROM_GUEST: _published}
