# SPDX-License-Identifier: MIT
"""Hosts that are wrong about a ring with nothing in it, or with a packet that fills it."""

from __future__ import annotations

from functools import partial
from typing import Final

from protocol.ring import MAX_PACKET_BYTES, Packet
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrong_hosts.meddled import Hearing, Meddled, Request
from sim.conformance.wrong_hosts.row import WrongHost


class ReadsAgain(Meddled):
    """Takes a signal for a packet, and so answers the last one again."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self._last: list[Packet] = []
        self._again: list[Packet] = []

    def signal(self, channel: Channel) -> None:
        if self.rings(channel)[0].empty():
            self._again = self._last
        super().signal(channel)

    def receive(self, channel: Channel) -> list[Packet]:
        found = super().receive(channel)
        again, self._again = self._again, []
        self._last = found or self._last
        return [*again, *found]


def _large(_host: Meddled, request: Request) -> bool:
    return len(request.payload) > MAX_PACKET_BYTES


ROWS: Final = (
    WrongHost(
        id="reads-an-empty-ring",
        does="answers the last request again when it is signalled and nothing is there",
        catches=("equal-indices-are-an-empty-ring",),
        wrap=ReadsAgain,
    ),
    WrongHost(
        id="has-a-small-buffer",
        does="overlooks a packet of more than 4096 bytes",
        catches=("largest-packet-served",),
        wrap=partial(Hearing, when=_large),
        profile="openvmm",
    ),
)
