# SPDX-License-Identifier: MIT
"""Hosts that are wrong about completions, ids, rings and what nobody should have sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from msgspec.structs import replace

from protocol.ring import DESCRIPTOR_BYTES, Packet
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)
from protocol.vpci import MessageType, PciBusD0Entry
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrong_hosts.meddled import (
    Answering,
    Dying,
    Hearing,
    Meddled,
    Receiving,
    Request,
    Telling,
)
from sim.conformance.wrong_hosts.negotiation import known
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
TABLE: Final = 64  # requests at once
OUTBOX: Final = 256  # packets that fit a ring
WRAPPED: Final = 450  # completions by which a ring has wrapped
LONGEST: Final = 64  # bytes of a request
UNKNOWN_PACKET: Final = 0x77
KNOWN_TYPES: Final = frozenset(int(kind) for kind in MessageType)


class Answers(Meddled):
    """Gives something else for each completion."""

    def __init__(self, host: HostUnderTest, change: Callable[[Packet], Iterable[Packet]]) -> None:
        super().__init__(host)
        self._change = change

    def answer(self, packet: Packet) -> Iterable[Packet]:
        return self._change(packet)


def _half_an_id(packet: Packet) -> Iterable[Packet]:
    return (replace(packet, transaction_id=packet.transaction_id & 0xFFFF_FFFF),)


def _used(host: Meddled, request: Request) -> bool:
    before = {one.transaction_id for one in host.heard if one.flags}
    return bool(request.flags) and request.transaction_id in before


class CompletesUnasked(Meddled):
    """Completes requests that want no completion."""

    def receive(self, channel: Channel) -> list[Packet]:
        silent = [request for request in self.bunch if not request.flags]
        found = super().receive(channel)
        size = DESCRIPTOR_BYTES + 8
        return [*found, *(Packet(VM_PKT_COMP, 0, 0, bytes(8), size) for _ in silent)]


def telling(**changes: int) -> partial[Telling]:
    """A host whose own packets have other descriptors."""
    return partial(Telling, change=lambda _host, packet: (replace(packet, **changes),))


def _loses_the_64th(_bunch: list[Request], found: list[Packet]) -> list[Packet]:
    answers = sum(packet.packet_type == VM_PKT_COMP for packet in found)
    return found[:-1] if answers >= TABLE else found


def _drops_what_does_not_fit(_bunch: list[Request], found: list[Packet]) -> list[Packet]:
    lists = sum(packet.packet_type == VM_PKT_DATA_INBAND for packet in found)
    return found[:OUTBOX] if lists > OUTBOX else found


def _youngest_first(_bunch: list[Request], found: list[Packet]) -> list[Packet]:
    return found[::-1]


class Garbles(Meddled):
    """Garbles an answer when the ring has wrapped."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self._answers = 0

    def answer(self, packet: Packet) -> Iterable[Packet]:
        self._answers += 1
        if self._answers != WRAPPED:
            return (packet,)
        return (replace(packet, payload=packet.payload[::-1]),)


def _after_forging(host: Meddled, request: Request) -> bool:
    return known(request) and "signal" in host.done


def _unknown_type(_host: Meddled, request: Request) -> bool:
    return bool(request.payload) and request.kind not in KNOWN_TYPES


def _cut_short(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_BUS_D0ENTRY and len(request.payload) < PciBusD0Entry.SIZE


def _empty(_host: Meddled, request: Request) -> bool:
    return not request.payload


def _for_guests(_host: Meddled, request: Request) -> bool:
    return request.kind in (M.PCI_EJECT, M.PCI_BUS_RELATIONS)


def _long(_host: Meddled, request: Request) -> bool:
    return len(request.payload) > LONGEST and request.kind == M.PCI_QUERY_RESOURCE_REQUIREMENTS


def _strange(_host: Meddled, request: Request) -> bool:
    return request.packet_type == UNKNOWN_PACKET


def _flagged(_host: Meddled, request: Request) -> bool:
    return request.flags & ~VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED != 0


class SignalsOnce(Meddled):
    """Signals a channel for the first packet only, and to a guest that waits for room."""

    def signals(self, channel: Channel) -> int:
        waits = self.rings(channel)[0].pending_send_sz != 0
        return super().signals(channel) if waits else min(super().signals(channel), 1)


class GivesUp(Meddled):
    """Rescinds a channel whose ring is broken."""

    def signal(self, channel: Channel) -> None:
        super().signal(channel)
        self._host.order("rescind", channel)


ROWS: Final = (
    WrongHost(
        id="halves-ids",
        does="keeps 32 bits of a transaction id",
        catches=("completion-carries-the-id",),
        wrap=partial(Answers, change=_half_an_id),
    ),
    WrongHost(
        id="answers-twice",
        does="sends each completion twice",
        catches=("completed-once",),
        wrap=partial(Answers, change=lambda packet: (packet, packet)),
    ),
    WrongHost(
        id="wants-fresh-ids",
        does="ignores a request whose id was used before",
        catches=("id-may-be-used-again",),
        wrap=partial(Hearing, when=_used),
    ),
    WrongHost(
        id="completes-unasked",
        does="completes requests that want no completion",
        catches=(
            "no-completion-unasked",
            "unknown-delete-is-silent",
            "unknown-type-without-asking",
        ),
        wrap=CompletesUnasked,
    ),
    WrongHost(
        id="wants-completions",
        does="wants completions for its lists",
        catches=("news-wants-no-completion",),
        wrap=telling(flags=1),
    ),
    WrongHost(
        id="numbers-its-lists",
        does="sends its lists with a transaction id",
        catches=("news-has-id-0",),
        wrap=telling(transaction_id=7),
        profile="openvmm",
    ),
    WrongHost(
        id="has-63-places",
        does="loses the last of 64 requests that come at once",
        catches=("64-requests-at-once",),
        wrap=partial(Receiving, change=_loses_the_64th),
    ),
    WrongHost(
        id="youngest-first",
        does="answers the youngest request first",
        catches=("completions-in-order",),
        wrap=partial(Receiving, change=_youngest_first),
        profile="openvmm",
    ),
    WrongHost(
        id="garbles-at-the-end",
        does="garbles an answer when the ring has wrapped",
        catches=("rings-wrap",),
        wrap=Garbles,
    ),
    WrongHost(
        id="drops-when-full",
        does="drops what does not fit the ring",
        catches=("full-ring-waited-for",),
        wrap=partial(Receiving, change=_drops_what_does_not_fit),
    ),
    WrongHost(
        id="signals-once",
        does="signals a channel for its first packet only",
        catches=("empty-ring-signalled",),
        wrap=SignalsOnce,
    ),
    WrongHost(
        id="never-forgives",
        does="agrees on no version after a ring was broken once",
        catches=("broken-ring-is-not-the-end",),
        wrap=partial(Answering, when=_after_forging),
    ),
    WrongHost(
        id="gives-up-broken-rings",
        does="rescinds a channel whose ring is broken",
        catches=("broken-ring",),
        wrap=GivesUp,
    ),
    WrongHost(
        id="dies-of-unknown-types",
        does="hears nothing after a message of an unknown type",
        catches=("unknown-type-survived",),
        wrap=partial(Dying, when=_unknown_type),
    ),
    WrongHost(
        id="dies-of-short-requests",
        does="hears nothing after a request that is cut short",
        catches=("short-request-survived",),
        wrap=partial(Dying, when=_cut_short),
    ),
    WrongHost(
        id="takes-short-requests",
        does="answers success to a D0 entry without a window",
        catches=("short-request-refused",),
        wrap=partial(Answering, when=_cut_short, change=lambda _: bytes(8)),
    ),
    WrongHost(
        id="rejects-trailing-bytes",
        does="rejects requests that are longer than they need to be",
        catches=("longer-request-served",),
        wrap=partial(Answering, when=_long),
    ),
    WrongHost(
        id="dies-of-empty-packets",
        does="hears nothing after an empty packet",
        catches=("empty-packet-survived",),
        wrap=partial(Dying, when=_empty),
    ),
    WrongHost(
        id="dies-of-its-own-messages",
        does="hears nothing after a message that is its own to send",
        catches=("host-messages-survived",),
        wrap=partial(Dying, when=_for_guests),
    ),
    WrongHost(
        id="overlooks-packet-types",
        does="passes over packets of a type that VMBus does not have",
        catches=("unknown-packet-type-ends-worker",),
        wrap=partial(Hearing, when=_strange),
        profile="openvmm",
    ),
    WrongHost(
        id="overlooks-flags",
        does="passes over packets with a flag that VMBus does not have",
        catches=("unknown-flag-ends-worker",),
        wrap=partial(Hearing, when=_flagged),
        profile="openvmm",
    ),
)
