# SPDX-License-Identifier: MIT
"""Hosts that are wrong about opening channels and about versions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from protocol.ring import Packet
from protocol.status import STATUS_UNSUCCESSFUL, unsigned
from protocol.versions import VPCI_1_2, VPCI_1_5, VPCI_1_6, VPCI_DIALECTS
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciBusRelations, PciVersionRequest
from sim.conformance.case import ALL
from sim.conformance.host_port import Channel
from sim.conformance.wrapped import Wrapped
from sim.conformance.wrong_hosts.lists import is_list, reformed
from sim.conformance.wrong_hosts.meddled import Answering, Hearing, Meddled, Request, Telling
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
QUERY: Final = M.PCI_QUERY_PROTOCOL_VERSION
QUERY_BYTES: Final = PciVersionRequest.SIZE
LATER: Final = (VPCI_1_5.version, VPCI_1_6.version)  # than Linux has


class OffersNothing(Wrapped):
    def offers(self) -> dict[Channel, UUID]:
        return {}


class NeverOpens(Wrapped):
    def open(self, channel: Channel) -> int:
        del channel
        return unsigned(STATUS_UNSUCCESSFUL)


class OpensOnce(Wrapped):
    _opened = False

    def open(self, channel: Channel) -> int:
        if self._opened:
            return unsigned(STATUS_UNSUCCESSFUL)
        self._opened = True
        return super().open(channel)


class SpeaksFirst(Meddled):
    def receive(self, channel: Channel) -> list[Packet]:
        found = super().receive(channel)
        if self.heard:
            return found
        return [Packet(VM_PKT_DATA_INBAND, 0, 0, PciBusRelations().build(), 24), *found]


def known(request: Request) -> bool:
    """A query for a version that there is."""
    version = int.from_bytes(request.payload[4:8], "little")
    return request.kind == QUERY and version in VPCI_DIALECTS


def _first_of_linux(host: Meddled, request: Request) -> bool:
    return known(request) and len(request.payload) == QUERY_BYTES and not host.heard


def _third(host: Meddled, request: Request) -> bool:
    return request.kind == QUERY and host.counts(QUERY) == 2


def _longer(_host: Meddled, request: Request) -> bool:
    return request.kind == QUERY and len(request.payload) > QUERY_BYTES


def _reopened_in_peace(host: Meddled, request: Request) -> bool:
    return known(request) and host.done == ["open", "close", "open"]


def _as_before(host: Meddled, packet: Packet) -> Iterable[Packet]:
    last = next(request for request in reversed(host.heard) if request.kind == QUERY)
    asked = int.from_bytes(last.payload[4:8], "little")
    if host.done.count("open") == 2 and asked == VPCI_1_2.version:
        return (replace(packet, payload=reformed(packet.payload, M.PCI_BUS_RELATIONS2)),)
    return (packet,)


def _as_first(host: Meddled, packet: Packet) -> Iterable[Packet]:
    last = next(request for request in reversed(host.heard) if request.kind == QUERY)
    asked = int.from_bytes(last.payload[4:8], "little")
    if asked in LATER and is_list(packet.payload):
        return (replace(packet, payload=reformed(packet.payload, M.PCI_BUS_RELATIONS)),)
    return (packet,)


def _silent(_host: Meddled, request: Request) -> bool:
    return request.kind == QUERY and not request.flags


def _up_to_one_more(highest: str) -> WrongHost:
    at = ALL.index(highest)
    has = ALL[: at + 2] if highest != ALL[-1] else ALL[:at]
    return WrongHost(
        id=f"compares-with-{highest}-wrongly",
        does=f"has the versions up to {has[-1]} where it should have those up to {highest}",
        catches=(f"agrees-with-host-up-to-{highest}",),
        knobs={"versions": list(has)},
    )


def _from_one_less(lowest: str) -> WrongHost:
    at = ALL.index(lowest)
    return WrongHost(
        id=f"still-has-{ALL[at - 1]}",
        does=f"has version {ALL[at - 1]}, too, where its lowest should be {lowest}",
        catches=(f"nothing-in-common-with-host-from-{lowest}",),
        knobs={"versions": list(ALL[at - 1 :])},
        version=ALL[at - 1],
    )


ROWS: Final = (
    WrongHost(
        id="offers-nothing",
        does="offers no channel",
        catches=("channel-offered",),
        wrap=OffersNothing,
    ),
    WrongHost(
        id="never-opens",
        does="refuses to open any channel",
        catches=("channel-opens",),
        wrap=NeverOpens,
    ),
    WrongHost(
        id="opens-once",
        does="does not open a channel a second time",
        catches=("channel-reopens",),
        wrap=OpensOnce,
    ),
    WrongHost(
        id="speaks-first",
        does="sends an empty list when the channel is opened",
        catches=("silent-before-version",),
        wrap=SpeaksFirst,
    ),
    WrongHost(
        id="fails-first-query",
        does="answers UNSUCCESSFUL to the first version query",
        catches=("version-accepted",),
        wrap=partial(Answering, when=_first_of_linux),
    ),
    WrongHost(
        id="refuses-otherwise",
        does="refuses a version with UNSUCCESSFUL",
        catches=("unknown-version-refused",),
        knobs={"version_refusal_status": unsigned(STATUS_UNSUCCESSFUL)},
    ),
    WrongHost(
        id="refuses-twice-and-for-ever",
        does="answers UNSUCCESSFUL to the third version query",
        catches=("version-asked-again",),
        wrap=partial(Answering, when=_third),
    ),
    WrongHost(
        id="wants-exact-query",
        does="rejects a version query with trailing bytes",
        catches=("longer-query-accepted",),
        wrap=partial(Answering, when=_longer),
    ),
    WrongHost(
        id="agrees-once-a-life",
        does="agrees on no version when the channel is opened again",
        catches=("reopened-channel-asks-anew",),
        wrap=partial(Answering, when=_reopened_in_peace),
    ),
    WrongHost(
        id="remembers-version",
        does="keeps the lists' form when the channel is opened again",
        catches=("reopened-channel-forgets-version",),
        wrap=partial(Telling, change=_as_before),
    ),
    WrongHost(
        id="without-1.1",
        does="does not have version 1.1",
        catches=("linux-version-accepted",),
        knobs={"refused_versions": ["1.1"]},
        version="1.1",
    ),
    WrongHost(
        id="names-1.1",
        does="names version 1.1 in its answers",
        catches=("version-reply-names-highest",),
        knobs={"reply_version": "1.1"},
    ),
    WrongHost(
        id="ignores-silent-query",
        does="ignores a version query that wants no completion",
        catches=("silent-version-query-counts",),
        wrap=partial(Hearing, when=_silent),
        profile="openvmm",
    ),
    WrongHost(
        id="lists-as-at-first",
        does="lists functions in the form of 1.1 at versions later than 1.4",
        catches=("later-versions-speak-as-1.4",),
        wrap=partial(Telling, change=_as_first),
        profile="openvmm",
    ),
    *(_up_to_one_more(version) for version in ALL),
    *(_from_one_less(version) for version in ALL[1:]),
)
