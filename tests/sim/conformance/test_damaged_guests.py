# SPDX-License-Identifier: MIT
"""Every case of a guest judges guests that say too little: with an outcome, never an exception."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import pytest
from msgspec.structs import replace

from guest.defects.record import Mixin
from guest.kernel.sync import Completion
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import HvDevice, VmbusChannel
from protocol.link import Direction, HypercallMade, LinkEvent, MessagePosted, PacketPublished
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import PciBusD0Entry
from sim.conformance.case import GuestCase, NotOffered
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import Played, judged, play
from sim.conformance.outcome import BINDING, Target
from sim.conformance.seen import Seen
from sim.conformance.suite import plan, run_guest_case, run_guest_cases_together
from sim.guests import ReferenceGuests
from sim.trace import Stamped
from tests.sim.conformance.worlds import worlds_at

VERSION = "1.4"
TARGET = Target("guest", "a guest", "hyperv", BINDING["guest"])
BY_ID = {case.id: case for case in GUEST_CASES}
SHORTER = (0, 3, 4, 8, 12, 16)  # bytes that are left
PATIENCE_MS = 100
STOPS = 40  # places at which a guest falls silent, in each run

Change = Callable[[Stamped], Stamped | None]


def shortened(kind: type[LinkEvent], direction: Direction, left: int) -> Change:
    """What crosses in such events, that way, has no more than so many bytes."""
    field = "input" if kind is HypercallMade else "payload"

    def change(stamped: Stamped) -> Stamped:
        event = stamped.event
        if isinstance(event, kind) and getattr(event, "direction", direction) == direction:
            event = replace(event, **{field: getattr(event, field)[:left]})
        return replace(stamped, event=event)

    return change


def asks_for_no_completion(stamped: Stamped) -> Stamped | None:
    """No packet of the guest has the flag, so none is answered."""
    event = stamped.event
    if not isinstance(event, PacketPublished):
        return stamped
    if event.packet_type == VM_PKT_COMP:
        return None
    return replace(stamped, event=replace(event, flags=0, transaction_id=0))


def says_nothing(stamped: Stamped) -> Stamped | None:
    return None if getattr(stamped.event, "direction", "") == "guest-to-host" else stamped


KINDS: tuple[tuple[type[LinkEvent], Direction], ...] = (
    (PacketPublished, "guest-to-host"),
    (PacketPublished, "host-to-guest"),
    (MessagePosted, "guest-to-host"),
    (HypercallMade, "guest-to-host"),
)
CHANGES = (
    *(shortened(kind, direction, left) for kind, direction in KINDS for left in SHORTER),
    asks_for_no_completion,
    says_nothing,
)


def with_trace(played: Played, trace: Iterable[Stamped]) -> Played:
    result = replace(played.seen.result, trace=tuple(trace))
    return Played(Seen(result, played.seen.dialect), None)


def variants(played: Played) -> Iterable[Played]:
    trace = played.seen.trace
    for change in CHANGES:
        yield with_trace(played, (s for s in map(change, trace) if s is not None))
    for stop in range(0, len(trace), max(1, len(trace) // STOPS)):
        yield with_trace(played, trace[:stop])


@pytest.mark.parametrize("cases", worlds_at(VERSION), ids=lambda cases: cases[0].id)
def test_whatever_a_guest_says_has_an_outcome(cases: list[GuestCase]) -> None:
    played = play(cases[0], VERSION)
    for damaged in variants(played):
        for case in cases:
            try:
                judged(case, damaged)
            except NotOffered:
                continue


class WantsNoCompletion(HvPciDriver):
    """It takes for granted what it asks for."""

    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        del packet
        return self.send_message(channel, payload)

    async def wait_for_response(self, hdev: HvDevice, comp: Completion) -> int:
        del hdev
        await comp.wait_timeout(PATIENCE_MS)
        return 0


class SaysFourBytes(HvPciDriver):
    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        return super().send_request(channel, payload[:4], packet)

    def send_message(self, channel: VmbusChannel, payload: bytes) -> Awaitable[int]:
        return super().send_message(channel, payload[:4])


class SaysLessThanItKnows(HvPciDriver):
    """It comes up, for its versions and D0 entries are whole, and then is short."""

    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        whole = len(payload) <= PciBusD0Entry.SIZE
        return super().send_request(channel, payload if whole else payload[:8], packet)


@pytest.mark.parametrize("driver", [WantsNoCompletion, SaysFourBytes, SaysLessThanItKnows])
def test_every_case_put_to_such_a_guest_has_an_outcome(driver: type[HvPciDriver]) -> None:
    guests = ReferenceGuests(mixins=[Mixin("driver", driver)])
    outcomes = run_guest_cases_together(tuple(plan(GUEST_CASES, [VERSION])), TARGET, guests)
    assert any(outcome.result == "failed" for outcome in outcomes)


def test_the_packet_that_cannot_be_read_is_marked() -> None:
    guests = ReferenceGuests(mixins=[Mixin("driver", SaysFourBytes)])
    outcome = run_guest_case(BY_ID["refused-version-not-asked-again"], VERSION, TARGET, guests)
    assert outcome.result == "failed"
    assert outcome.why == (
        "what the guest sent cannot be read: "
        "pci_version_request.protocol_version at offset 4: 4 bytes too short"
    )
    (query,) = [s for s in outcome.trace if s.seq == outcome.at]
    assert isinstance(query.event, PacketPublished)
    assert query.event.direction == "guest-to-host"
