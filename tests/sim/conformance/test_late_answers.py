# SPDX-License-Identifier: MIT
"""What a host answers late, or twice, is a request of the guest's, whatever ids the guest gives."""

from __future__ import annotations

from typing import Final

import pytest

from guest.defects.record import Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.channel import REQUEST_ID_ERROR, Requestor
from protocol.ids import TransactionId
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import judged, play
from sim.conformance.wrong_guests.leaving import OnceOneHasGone, UntilOneHasGone
from sim.guests import ReferenceGuests

SECOND_ANSWER: Final = "invalid transaction ID 40"  # the first id of these guests
BY_ID: Final = {case.id: case for case in GUEST_CASES}
PLAYED: Final = (
    "version-query-waited-for",
    "d0-entry-waited-for",
    "empty-completion-skipped",
    "list-before-it-was-asked-for-wakes-nobody",
    "completion-repeated",
    "late-answer-for-what-has-gone",
    "late-answer-meets-its-id-again",
)


class FromAbove(Requestor):
    """Its first id is 64, the next one 63, where Linux begins with 1 and 2."""

    __slots__ = ()

    def next_id(self, request: object) -> TransactionId:
        found = super().next_id(request)
        return found if found == REQUEST_ID_ERROR else TransactionId(self.size + 1 - found)

    def match(self, transaction_id: int, request: object | None) -> object | None:
        return super().match(self.size + 1 - transaction_id, request)


class OtherIds(HvPciDriver):
    async def open_channel(self, hbus: HvPciBus) -> int:
        ret = await super().open_channel(hbus)
        if hbus.hdev.channel.requestor is not None:
            hbus.hdev.channel.requestor.__class__ = FromAbove
        return ret


class DiesOfTheLateOne(OtherIds, OnceOneHasGone):
    deadly_then = SECOND_ANSWER


class DiesOfTheRepeatedOne(OtherIds, UntilOneHasGone):
    deadly = SECOND_ANSWER


def told_of(id_: str, driver: type[HvPciDriver]) -> str:
    guests = ReferenceGuests(mixins=[Mixin("driver", driver)])
    case = BY_ID[id_]
    return str(judged(case, play(case, "1.4", guests=guests)))


@pytest.mark.parametrize("id_", PLAYED)
def test_a_guest_with_ids_of_its_own_is_put_to_the_case_and_passes(id_: str) -> None:
    assert told_of(id_, OtherIds) == "None"


@pytest.mark.parametrize(
    ("id_", "driver"),
    [
        ("late-answer-for-what-has-gone", DiesOfTheLateOne),
        ("completion-repeated", DiesOfTheRepeatedOne),
    ],
)
def test_the_answer_meets_the_id_that_the_guest_gave(id_: str, driver: type[HvPciDriver]) -> None:
    assert told_of(id_, driver) != "None"
