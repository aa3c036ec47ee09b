# SPDX-License-Identifier: MIT
"""What VMBus and the rings do is not put to a guest behind the port: there they are ours."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.codec import WireRecord
from protocol.peer_port import Offered, Open
from sim.conformance.case import GuestCase
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_cases import (
    channel_moves,
    control_answers,
    opening,
    posting,
    ring,
    ring_limits,
    ring_memory,
    vmbus_waits,
)
from sim.conformance.outcome import BINDING, STRANGER, Outcome, Target
from sim.conformance.suite import run_guest_cases
from sim.peer.remote_guest import RemoteGuests
from tests.sim.peer.fake_guests import in_thread

OURS = "behind the port VMBus and the rings are vpcisim's own"
THEMES = (
    *(channel_moves.CASES, control_answers.CASES, opening.CASES, posting.CASES),
    *(ring_limits.CASES, ring_memory.CASES, vmbus_waits.CASES),
)
ABOUT_VMBUS = [case for case in GUEST_CASES if case.about == "vmbus"]


def opens_only(frame: WireRecord) -> list[WireRecord]:
    return [Open(frame.channel)] if isinstance(frame, Offered) else []


def put_to_one_that_opens_only(cases: Sequence[GuestCase]) -> list[Outcome]:
    target = Target("guest", "a fake", "hyperv", BINDING[STRANGER])
    planned = [(case, case.versions[-1]) for case in cases]
    with in_thread(opens_only) as peers:
        return list(run_guest_cases(planned, target, RemoteGuests(peers)))


def test_a_guest_that_only_opens_its_channel_is_put_to_nothing_about_vmbus() -> None:
    outcomes = put_to_one_that_opens_only(ABOUT_VMBUS)
    assert {outcome.result for outcome in outcomes} == {"skipped"}
    # Some ask for what no guest behind the port can do, and say so.
    assert {outcome.case.id for outcome in outcomes if outcome.why == OURS} >= {
        "host-told-of-room",
        "message-posted-100-times",
        "pages-told-before-opening",
        "rescind-ends-an-open",
        "vmbus-versions-from-above",
    }


def test_it_passes_no_case_of_the_themes_of_vmbus() -> None:
    outcomes = put_to_one_that_opens_only([case for theme in THEMES for case in theme])
    assert [outcome.case.id for outcome in outcomes if outcome.result == "passed"] == []


def test_what_it_writes_into_the_ring_is_still_judged() -> None:
    by_id = {case.id: case for case in ring.CASES}
    sparingly, flags = by_id["signalled-sparingly"], by_id["flags-known"]
    assert sparingly.scenario == flags.scenario
    first, second = put_to_one_that_opens_only([sparingly, flags])
    assert first.why == OURS
    assert second.why != OURS
