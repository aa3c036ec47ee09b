# SPDX-License-Identifier: MIT
"""Hosts that are wrong about the functions they list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from msgspec.structs import replace

from protocol.ring import Packet
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, PciFunctionDescription2
from sim.conformance.answers import Description
from sim.conformance.host_port import HostUnderTest
from sim.conformance.wrong_hosts.lists import is_list, reformed, relisted
from sim.conformance.wrong_hosts.meddled import Meddled, Receiving, Request, Telling
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
LONG: Final = 5000  # bytes; more than Linux's reader can hold


def listing(change: Callable[[bytes], bytes | None]) -> Callable[[HostUnderTest], Telling]:
    """A host whose lists are changed; None for no list."""

    def tell(_host: Meddled, packet: Packet) -> Iterable[Packet]:
        if not is_list(packet.payload):
            return (packet,)
        payload = change(packet.payload)
        return () if payload is None else (replace(packet, payload=payload),)

    return partial(Telling, change=tell)


def describing(change: Callable[[int, Description], Description | None]) -> Callable[..., Telling]:
    """A host that lists other functions."""
    return listing(partial(relisted, change=change))


class Renames(Telling):
    """Counts serial numbers up from list to list."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host, self._renamed)
        self._lists = 0

    def _renamed(self, _host: Meddled, packet: Packet) -> Iterable[Packet]:
        if not is_list(packet.payload):
            return (packet,)
        self._lists += 1
        payload = relisted(packet.payload, lambda _, f: replace(f, ser=f.ser + self._lists))
        return (replace(packet, payload=payload),)


class ListsOnce(Receiving):
    """Lists nothing for a query that comes alone, behind another one."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host, self._listed)

    def _listed(self, bunch: list[Request], found: list[Packet]) -> list[Packet]:
        alone = len(bunch) == 1 and bunch[0].kind == M.PCI_QUERY_BUS_RELATIONS
        if alone and self.counts(M.PCI_QUERY_BUS_RELATIONS) > 1:
            return [packet for packet in found if packet.packet_type == VM_PKT_COMP]
        return found


def _flagged(_at: int, function: Description) -> Description:
    return replace(function, flags=1) if isinstance(function, PciFunctionDescription2) else function


def _unflagged(_at: int, function: Description) -> Description:
    return replace(function, flags=0) if isinstance(function, PciFunctionDescription2) else function


def _unlisted_change(host: Meddled, packet: Packet) -> Iterable[Packet]:
    return () if "relations" in host.done else (packet,)


ROWS: Final = (
    WrongHost(
        id="never-lists",
        does="sends no list for a query",
        catches=("relations-query-listed",),
        wrap=listing(lambda _: None),
    ),
    WrongHost(
        id="lists-once",
        does="sends a list for the first query only",
        catches=("each-relations-query-listed",),
        wrap=ListsOnce,
    ),
    WrongHost(
        id="lists-in-old-form",
        does="sends lists of version 1.1 at every version",
        catches=("relations-have-form-of-version",),
        wrap=listing(lambda payload: reformed(payload, M.PCI_BUS_RELATIONS)),
    ),
    WrongHost(
        id="lists-in-new-form",
        does="sends lists of version 1.3 at version 1.2",
        catches=("relations-have-form-of-version",),
        wrap=listing(lambda payload: reformed(payload, M.PCI_BUS_RELATIONS2)),
        version="1.2",
    ),
    WrongHost(
        id="cuts-lists",
        does="sends lists that are eight bytes short",
        catches=("relations-are-whole",),
        wrap=listing(lambda payload: payload[:-8]),
    ),
    WrongHost(
        id="lists-at-length",
        does="sends lists that are longer than Linux's buffer",
        catches=("relations-fit-linux-buffer",),
        wrap=listing(lambda payload: payload.ljust(LONG, b"\0")),
    ),
    WrongHost(
        id="renames-functions",
        does="gives functions another serial number in each list",
        catches=("functions-stay-themselves",),
        wrap=Renames,
    ),
    WrongHost(
        id="lists-one-slot",
        does="lists all functions with the same slot",
        catches=("slots-are-apart", "every-function-listed"),
        wrap=describing(lambda _, function: replace(function, win_slot=0)),
    ),
    WrongHost(
        id="lists-slot-1",
        does="lists its only function with slot 1",
        catches=("one-function-in-slot-0",),
        wrap=describing(lambda _, function: replace(function, win_slot=1)),
        profile="openvmm",
    ),
    WrongHost(
        id="serial-of-its-own",
        does="makes serial numbers up",
        catches=("serial-is-of-the-instance",),
        wrap=describing(lambda _, function: replace(function, ser=function.ser ^ 1)),
        profile="openvmm",
    ),
    WrongHost(
        id="flags-no-node",
        does="says that there is a NUMA node where there is none",
        catches=("no-numa-flag-without-node",),
        wrap=describing(_flagged),
        profile="openvmm",
    ),
    WrongHost(
        id="node-without-flag",
        does="gives a NUMA node without the flag",
        catches=("numa-node-flagged",),
        wrap=describing(_unflagged),
    ),
    WrongHost(
        id="keeps-changes-to-itself",
        does="sends no list when a function is taken away",
        catches=("change-is-listed-unasked",),
        wrap=partial(Telling, change=_unlisted_change),
    ),
    WrongHost(
        id="lists-after-completion",
        does="lists the functions on D0 entry, behind the completion",
        catches=("relations-before-d0-completion",),
        knobs={"relations_after_d0": True, "relations_before_d0_completion": False},
    ),
    WrongHost(
        id="tells-before-query",
        does="tells changes to a guest that has not asked",
        catches=("change-before-query",),
        knobs={"relations_before_query": True},
    ),
)
