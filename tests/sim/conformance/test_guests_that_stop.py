# SPDX-License-Identifier: MIT
"""A guest that stops on its way up fails the cases about that way, and is not put to the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import pytest

from protocol.ids import SlotNumber
from protocol.peer_orders import mask_of
from protocol.peer_port import ROLE_GUEST, Hello, Offered, Open, Opened, PacketFrame, Ping, Pong
from protocol.versions import VPCI_1_4
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciMessage,
    PciResourcesAssigned2,
    PciVersionRequest,
)
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import GOT_AS_FAR_AS
from sim.conformance.outcome import BINDING, STRANGER, Outcome, Target
from sim.conformance.suite import run_guest_case, run_guest_cases
from sim.peer.fault import PeerFault
from sim.peer.peers import Peers
from sim.peer.remote_guest import RemoteGuests
from sim.peer.wire import Wire
from tests.sim.peer.ends import InThread

TARGET = Target("guest", "a fake", "hyperv", BINDING[STRANGER])
BY_ID = {case.id: case for case in GUEST_CASES}
COMING_UP = ("trailing-bytes-ignored", "whole-list-taken")
WINDOW = 0xF800_0000
WAY_UP = (
    PciVersionRequest(protocol_version=VPCI_1_4.version).build(),
    PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS).build(),
    PciBusD0Entry(mmio_base=WINDOW).build(),
    PciResourcesAssigned2(wslot=SlotNumber(0)).build()[:8],
)


@contextmanager
def guests_that_say(
    *payloads: bytes, orders: Sequence[str] = (), born: Callable[[], object] = int
) -> Iterator[RemoteGuests]:
    """Guests that send these at once, and nothing more; they never do what they are ordered.

    Each calls ``born`` first.
    """

    def guest(wire: Wire) -> None:
        born()
        wire.send(Hello(role=ROLE_GUEST, orders=mask_of(orders), name=b"fake"))
        while (frame := wire.next(None)) is not None:
            if isinstance(frame, Ping):
                wire.send(Pong(frame.token))
            elif isinstance(frame, Offered):
                wire.send(Open(frame.channel))
            elif isinstance(frame, Opened):
                for payload in payloads:
                    wire.send(PacketFrame(frame.channel, VM_PKT_DATA_INBAND, 0, 0, payload))

    def until_we_leave(wire: Wire) -> None:
        with pytest.raises(PeerFault):
            guest(wire)

    with Peers(InThread(until_we_leave)) as peers:
        yield RemoteGuests(peers)


def outcome(case: str, guests: RemoteGuests) -> Outcome:
    return run_guest_case(BY_ID[case], "1.4", TARGET, guests)


@pytest.mark.parametrize("steps", range(len(WAY_UP) + 1))
def test_whoever_stops_on_the_way_up_fails_what_is_about_it_and_nothing_behind(steps: int) -> None:
    with guests_that_say(*WAY_UP[:steps]) as guests:
        assert [outcome(case, guests).result for case in COMING_UP] == ["failed", "failed"]
        behind = outcome("eject-completed-once", guests)
    assert (behind.result, behind.why) == (
        "skipped",
        "the guest never got as far as assigning resources",
    )


def test_whoever_hangs_before_it_boots_passes_nothing_that_waits_for_it() -> None:
    with guests_that_say(orders=["offer-versions"]) as guests:
        assert outcome("whole-list-taken", guests).result == "failed"
        assert outcome("eject-completed-once", guests).result == "skipped"


def test_whether_such_a_guest_comes_up_is_tried_once_for_all_cases_of_a_version() -> None:
    numbers = count()
    behind = BY_ID["eject-completed-once"]
    planned = [(behind, "1.4"), (behind, "1.4"), (behind, "1.3"), (behind, "1.4")]
    versions = {version for _, version in planned}
    with guests_that_say(orders=["offer-versions"], born=numbers.__next__) as guests:
        outcomes = list(run_guest_cases(planned, TARGET, guests))
    assert [outcome.result for outcome in outcomes] == ["skipped"] * len(planned)
    assert next(numbers) == len(planned) + len(versions)


def test_there_are_words_for_all_that_cases_wait_for() -> None:
    waits = (re.findall('wait = "([^"]*)', case.scenario) for case in GUEST_CASES)
    assert {event for each in waits for event in each} == GOT_AS_FAR_AS.keys()
