# SPDX-License-Identifier: MIT
"""Which message of a failure is marked: the one that the check was looking at."""

from __future__ import annotations

import pytest

from guest.defects.record import Mixin
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.messages import bus_message
from guest.vmbus.channel import VmbusChannel
from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, message_name
from sim.conformance.case import HostCase
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from sim.conformance.host_port import HostUnderTest
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import OwnHost
from sim.conformance.suite import run_guest_case, run_host_case
from sim.conformance.wrong_guests.catalogue import WRONG_GUESTS
from sim.conformance.wrong_hosts import WRONG_HOSTS
from sim.conformance.wrong_hosts.meddled import Answering
from sim.guests import ReferenceGuests
from sim.report.conformance import DIFFERS, NOTHING_MORE, UNANSWERED, outcome_lines

GUEST = Target("guest", "a wrong guest", "hyperv", BINDING["guest"])
GUEST_CASE = {case.id: case for case in GUEST_CASES}
HOST_CASE = {case.id: case for case in HOST_CASES}
M = MessageType


def host_outcome(wrong_id: str) -> Outcome:
    """Of the case that is there for a wrong host."""
    (wrong,) = (wrong for wrong in WRONG_HOSTS if wrong.id == wrong_id)
    target = Target("host", wrong.id, wrong.profile, BINDING[wrong.profile])
    outcome = run_host_case(HOST_CASE[wrong.catches[0]], wrong.version, target, wrong.made)
    assert outcome.result == "failed"
    return outcome


def guest_outcome(case_id: str) -> Outcome:
    """Of the case that is there for a wrong guest."""
    (wrong,) = (wrong for wrong in WRONG_GUESTS if wrong.caught_by == case_id)
    guests = ReferenceGuests(mixins=wrong.mixins)
    outcome = run_guest_case(GUEST_CASE[case_id], wrong.version, GUEST, guests)
    assert outcome.result == "failed"
    return outcome


def marked(outcome: Outcome) -> tuple[str, str]:
    """The marked packet in words, a completion by its request's name, and the mark."""
    *_, last = outcome_lines(outcome)
    mark = last[last.index("<==") :]
    (event,) = (s.event for s in outcome.trace if s.seq == outcome.at)
    if not isinstance(event, PacketPublished):
        return type(event).__name__, mark
    if event.packet_type != VM_PKT_COMP:
        return message_name(event.payload), mark
    asked = (
        packet
        for stamped in reversed(outcome.trace)
        if stamped.seq < (outcome.at or 0) and isinstance(packet := stamped.event, PacketPublished)
        if (packet.direction, packet.transaction_id) == ("guest-to-host", event.transaction_id)
    )
    return f"answer to {message_name(next(asked).payload)}", mark


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("fails-d0-entry", "answer to PCI_BUS_D0ENTRY"),
        ("lists-one-slot", "PCI_BUS_RELATIONS2"),
        ("lists-after-completion", "PCI_BUS_RELATIONS2"),
        ("tells-no-bars", "answer to PCI_QUERY_RESOURCE_REQUIREMENTS"),
        ("ejects-twice", "PCI_EJECT"),
        ("overlooks-flags", "PCI_BUS_RELATIONS2"),
        ("pads-with-ones", "answer to PCI_BUS_D0EXIT"),
        ("delivers-to-vp-0", "InterruptDelivered"),
        ("fails-retarget-otherwise", "HypercallMade"),
        ("loses-upper-words", "ConfigRead"),
        ("takes-siblings-along", "Rescinded"),
    ],
)
def test_the_answer_that_a_hosts_check_looked_at_is_marked(wrong: str, message: str) -> None:
    assert marked(host_outcome(wrong)) == (message, DIFFERS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("never-lists", "PCI_QUERY_BUS_RELATIONS"),
        ("swallows-d0-exit", "PCI_BUS_D0EXIT"),
        ("lists-nothing-after-ejection", "PCI_EJECTION_COMPLETE"),
        ("has-63-places", "PCI_QUERY_RESOURCE_REQUIREMENTS"),
        ("keeps-more-free", "PCI_QUERY_RESOURCE_REQUIREMENTS"),
    ],
)
def test_where_a_host_gives_no_answer_the_request_is_marked(wrong: str, message: str) -> None:
    assert marked(host_outcome(wrong)) == (message, UNANSWERED)


@pytest.mark.parametrize(
    "wrong", ["never-rescinds", "keeps-changes-to-itself", "signals-once", "reads-trailers"]
)
def test_what_never_came_from_a_host_is_missed_at_the_end(wrong: str) -> None:
    outcome = host_outcome(wrong)
    assert outcome.at is None
    assert [*outcome_lines(outcome)][-1].endswith(NOTHING_MORE)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("version-asked-first", "PCI_QUERY_BUS_RELATIONS"),
        ("d0-entered-once", "PCI_BUS_D0ENTRY"),
        ("eject-answered-in-time", "PCI_EJECTION_COMPLETE"),
        ("interrupts-deleted-at-eject", "PCI_EJECTION_COMPLETE"),
        ("ids-not-written", "ConfigWritten"),
        ("retarget-names-the-function", "HypercallMade"),
    ],
)
def test_the_message_of_a_guest_that_differs_is_marked(case: str, message: str) -> None:
    assert marked(guest_outcome(case)) == (message, DIFFERS)


@pytest.mark.parametrize("case", ["idle-function-given-up", "short-message-dropped"])
def test_an_eject_that_a_guest_does_not_complete_is_marked(case: str) -> None:
    assert marked(guest_outcome(case)) == ("PCI_EJECT", UNANSWERED)


@pytest.mark.parametrize("case", ["channel-closed-at-unbind", "relid-given-back", "move-is-told"])
def test_what_never_came_from_a_guest_is_missed_at_the_end(case: str) -> None:
    outcome = guest_outcome(case)
    assert outcome.at is None
    assert [*outcome_lines(outcome)][-1].endswith(NOTHING_MORE)


class AsksTwice(HvPciDriver):
    """Every relations query twice."""

    async def send_message(self, channel: VmbusChannel, payload: bytes) -> int:
        if payload == bus_message(M.PCI_QUERY_BUS_RELATIONS):
            await super().send_message(channel, payload)
        return await super().send_message(channel, payload)


def test_of_a_guest_that_comes_up_out_of_order_the_first_packet_that_is_not_due_is_marked() -> None:
    guests = ReferenceGuests(mixins=[Mixin("driver", AsksTwice)])
    outcome = run_guest_case(GUEST_CASE["comes-up-in-order"], "1.4", GUEST, guests)
    sent = [
        stamped.seq
        for stamped in outcome.trace
        if isinstance(stamped.event, PacketPublished) and stamped.event.direction == "guest-to-host"
    ]
    assert outcome.at == sent[2]
    assert marked(outcome) == ("PCI_QUERY_BUS_RELATIONS", DIFFERS)


def test_of_completions_out_of_order_the_first_is_marked() -> None:
    outcome = host_outcome("youngest-first")
    (event,) = (s.event for s in outcome.trace if s.seq == outcome.at)
    assert isinstance(event, PacketPublished)
    assert f"is [{event.transaction_id}, " in outcome.why


def test_of_two_ejects_the_second_is_the_one_too_many() -> None:
    outcome = host_outcome("ejects-twice")
    ejects = [
        stamped.seq
        for stamped in outcome.trace
        if isinstance(packet := stamped.event, PacketPublished)
        and packet.packet_type != VM_PKT_COMP
        and message_name(packet.payload) == M.PCI_EJECT.name
    ]
    assert [outcome.at] == ejects[1:]


def test_of_an_answer_and_a_list_that_came_together_the_answer_is_marked() -> None:
    def fails_d0(case: HostCase, _version: str) -> HostUnderTest:
        host = OwnHost("openvmm", case.bus, {})
        return Answering(host, lambda _host, request: request.kind == M.PCI_BUS_D0ENTRY)

    target = Target("host", "it fails D0 entry", "openvmm", BINDING["openvmm"])
    outcome = run_host_case(HOST_CASE["d0-entered"], "1.4", target, fails_d0)
    assert marked(outcome) == ("answer to PCI_BUS_D0ENTRY", DIFFERS)
