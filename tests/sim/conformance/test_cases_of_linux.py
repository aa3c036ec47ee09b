# SPDX-License-Identifier: MIT
"""Cases that bind Linux alone fail for a guest that does otherwise, and skip one that stops short.

``wrong_guests`` has guests for the cases that bind all, and no other such case catches one of them;
what else catches a guest of this file is not asked.
"""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from sim.conformance.case import NotOffered
from sim.conformance.guest_cases.interrupts import RAISED
from sim.conformance.guest_cases.scenarios import ASSIGNED, actor, do
from sim.conformance.guest_play import judged, play
from tests.sim.conformance import drivers_unlike_linux as drivers
from tests.sim.conformance import interrupts_unlike_linux as interrupts
from tests.sim.conformance import requests_unlike_linux as requests
from tests.sim.conformance.unlike import BY_ID, Unlike, name, wrong_of

EARLY_LIST = "list-before-it-was-asked-for-wakes-nobody"

UNLIKE = (
    Unlike(
        "configuration-space-after-resources",
        drivers.LooksBeforeAssigning,
        "before all was assigned",
    ),
    Unlike("create-names-the-vector-aimed", interrupts.NamesNextVector, "was created, .* aimed"),
    Unlike(
        "single-msi-names-the-vector-aimed", interrupts.NamesNextVector, "was created, .* aimed"
    ),
    Unlike("multi-msi-names-vector-32", interrupts.NamesHeldVector, "names vector"),
    Unlike("multi-msi-names-vector-32", interrupts.CreatesForEach, "more than once"),
    Unlike("refused-interrupt-leaves-zeros", interrupts.WritesMessage, "there is no interrupt"),
    Unlike("refused-single-msi-leaves-zeros", interrupts.WritesMessage, "there is no interrupt"),
    Unlike("short-first-list-answers-nothing", drivers.TakesShortForEmpty, "no list was whole"),
    Unlike("short-first-list-answers-nothing", drivers.TakesNothingAfterShort, "did not come up"),
    Unlike("rom-and-subsystem-not-written", drivers.WritesRom, "0x30 was written"),
    Unlike("rom-and-pin-not-asked-for", drivers.AsksForRom, "0x30 was asked of the host"),
    Unlike("rom-and-pin-not-asked-for", drivers.AsksForPin, "0x3d was asked of the host"),
    Unlike("line-and-pin-asked-for-in-one", drivers.KnowsItsLatencies, "3 reads .* 0 were asked"),
    Unlike("list-while-leaving-thrown-away", drivers.ObeysWhileLeaving, "because of a list"),
    Unlike("version-query-waited-for", drivers.GivesUp, "closed before the answer"),
    Unlike("version-query-waited-for", drivers.Chatters, "was sent while it waited"),
    Unlike("d0-entry-waited-for", drivers.GivesUp, "closed before the answer"),
    Unlike("d0-entry-waited-for", drivers.Chatters, "was sent while it waited"),
    Unlike("retry-releases-from-above", drivers.ReleasesFromBelow, r"for slots \[0, 2\]"),
    Unlike("retry-releases-from-above", drivers.ReleasesLater, "between the refusal and D0 exit"),
    Unlike("retry-waits-ten-seconds", drivers.RetriesAnyway, "D0 exit was not answered"),
    Unlike("poll-ends-when-function-gone", interrupts.NeverLooks, "vendor id 0 times"),
    Unlike("poll-ends-when-function-gone", interrupts.LooksOn, "looked again"),
    Unlike("block-read-at-status-0-only", drivers.TakesAnySuccess, "taken for a success"),
    Unlike("block-written-at-status-0-only", drivers.TakesAnySuccess, "taken for a success"),
    Unlike("block-beyond-128-bytes-not-written", drivers.CutsBlocks, "128 bytes were written"),
    Unlike(EARLY_LIST, drivers.ContentWithAnyList, "on the strength of the early list"),
    Unlike("empty-list-obeyed", drivers.IgnoresEmptyLists, "not taken for a new one"),
    Unlike("resume-asks-for-the-list", drivers.KnowsItsFunctions, "the list not asked for"),
    Unlike("resume-places-bars", drivers.LeavesBarsToTheCore, "BAR 0 has not been placed"),
    Unlike("multi-msi-deleted-once", interrupts.DeletesForEach, "deleted 4 times"),
    Unlike("multi-msi-deleted-once", interrupts.DeletesEach, "a single vector"),
    Unlike("multi-msi-deleted-once", interrupts.KeepsBlocks, "never deleted"),
    Unlike("multi-msi-data-counts-up", interrupts.CountsInTwos, "is not of the block"),
    Unlike("interrupt-polled-every-100-us", interrupts.LooksRarely, "after 1000000 ns"),
    Unlike("interrupt-polled-every-100-us", interrupts.LooksOnce, "it looked 1 times"),
    Unlike("failed-query-closes-the-channel", drivers.LeavesOpenAfterFailure, "left open"),
    Unlike("new-vendor-is-a-new-function", drivers.GoesBySerial, "1 resource queries"),
    Unlike("new-device-is-a-new-function", drivers.GoesBySerial, "1 resource queries"),
    Unlike("new-serial-is-a-new-function", drivers.GoesByIds, "1 resource queries"),
    Unlike("new-revision-is-no-new-function", drivers.GoesByRevision, "2 .* were sent"),
    Unlike("stale-block-told", drivers.TellsNoDriver, "was not read again"),
    Unlike("interrupt-answer-without-address", requests.TakesHalfAnswers, "half an answer"),
    Unlike("interrupt-answer-padded-out", requests.WantsAnAddress, "not that of the answer"),
    Unlike("unanswered-d0-exit-ends-suspending", requests.LeavesWithoutAnswer, "was closed"),
    Unlike("id-taken-back-at-time-out", requests.KeepsTheId, "has the id 2, D0 exit had 1"),
)
STOPS_SHORT = (
    Unlike("retry-releases-from-above", drivers.NeverRetries, "a second D0 entry"),
    Unlike("retry-waits-ten-seconds", drivers.NeverRetries, "D0 exit"),
    Unlike(EARLY_LIST, drivers.DropsEarlyLists, "a list that came early"),
)


@pytest.mark.parametrize("unlike", UNLIKE, ids=name)
@pytest.mark.parametrize("version", ["1.1", "1.4"])
def test_a_guest_that_does_otherwise_fails_the_case(unlike: Unlike, version: str) -> None:
    assert re.search(unlike.why, str(wrong_of(unlike, version)))


@pytest.mark.parametrize("unlike", STOPS_SHORT, ids=name)
def test_a_guest_that_does_not_come_so_far_is_not_put_to_the_case(unlike: Unlike) -> None:
    with pytest.raises(NotOffered, match=f"{unlike.why}$"):
        wrong_of(unlike, "1.4")


def test_a_packet_while_the_device_is_used_fails_the_case() -> None:
    busy = actor("driver", ASSIGNED, do("read-block", "nic0", block=0, size=8))
    case = replace(BY_ID["interrupts-take-no-packet"], scenario=RAISED + busy)
    wrong = judged(case, play(case, "1.4"))
    assert str(wrong) == "a packet goes guest-to-host"


@pytest.mark.parametrize(
    "unlike",
    [
        Unlike("rom-and-pin-not-asked-for", drivers.WritesRom, "None"),
        Unlike("rom-and-subsystem-not-written", drivers.AsksForRom, "None"),
    ],
    ids=name,
)
def test_to_write_the_rom_and_to_ask_for_it_are_two_mistakes(unlike: Unlike) -> None:
    assert str(wrong_of(unlike, "1.4")) == unlike.why
