# SPDX-License-Identifier: MIT
"""An eject of a linked function is answered exactly once within 60 s, or it was excused."""

from __future__ import annotations

from errno import EAGAIN, ENODEV

import pytest

from guest.events import ChildAdded, ChildRemoved, EjectCompleted, EjectQueued, MessageIgnored
from host.events import ChannelClosed, ChannelOffered, EjectOverdue, Rescinded
from protocol.vpci import MessageType, PciEjectResponse
from sim.oracles.laws.ejects_answered import GRACE_NS, EjectsAnswered
from tests.sim.oracles.laws.tale import (
    BUS,
    RELID,
    SLOT,
    At,
    broken,
    from_host,
    holds,
    message,
    told,
)

LINKED = (ChannelOffered(BUS, RELID), ChildAdded(RELID, SLOT, 0x144D, 0xA80A, 7))
ASKED = from_host(MessageType.PCI_EJECT)
TAKEN = EjectQueued(RELID, SLOT)
ANSWER = message(MessageType.PCI_EJECTION_COMPLETE, payload=PciEjectResponse(wslot=SLOT).build())
DONE = EjectCompleted(RELID, SLOT, 0)
LATE = At(GRACE_NS + 1)


def test_an_eject_that_is_answered_in_time_is_lawful() -> None:
    assert holds(EjectsAnswered, *LINKED, ASKED, TAKEN, At(GRACE_NS), ANSWER, DONE, LATE)


def test_an_eject_that_is_never_answered_is_found_at_the_end() -> None:
    violation = broken(EjectsAnswered, *LINKED, ASKED, LATE)
    assert violation.kind == "protocol"
    assert "never answered" in violation.message


def test_a_run_that_ends_within_the_grace_period_proves_nothing() -> None:
    assert holds(EjectsAnswered, *LINKED, ASKED, At(GRACE_NS))


def test_an_eject_whose_work_ended_without_an_answer_is_found_though_the_channel_went() -> None:
    tale = (*LINKED, ASKED, TAKEN, LATE, EjectOverdue(BUS, SLOT), Rescinded(BUS, RELID))
    assert "never completed" in broken(EjectsAnswered, *tale).message


def test_an_eject_of_a_linked_function_that_the_guest_never_took_is_lost() -> None:
    assert "lost" in broken(EjectsAnswered, *LINKED, ASKED, LATE, EjectOverdue(BUS, SLOT)).message


def test_an_eject_from_before_the_function_was_linked_is_open_item_4() -> None:
    offered, linked = LINKED
    tale = (offered, ASKED, linked, LATE, EjectOverdue(BUS, SLOT), Rescinded(BUS, RELID))
    violation = broken(EjectsAnswered, *tale)
    assert "open item O4" in violation.message
    assert told(EjectsAnswered, *tale, may_show=("O4",)) == (None, ("O4",))


def test_a_second_answer_is_one_too_many() -> None:
    violation = broken(EjectsAnswered, *LINKED, ASKED, TAKEN, ANSWER, DONE, ANSWER)
    assert "nobody asked for" in violation.message


def test_an_answer_after_the_grace_period_is_a_limit_of_the_design() -> None:
    tale = (*LINKED, ASKED, TAKEN, LATE, ANSWER, DONE)
    assert told(EjectsAnswered, *tale, may_show=("O18",)) == (None, ("O18",))
    assert "after 60" in broken(EjectsAnswered, *tale).message


def test_an_eject_of_a_slot_that_nobody_has_needs_no_answer() -> None:
    nobody = from_host(MessageType.PCI_EJECT, 9)
    short = message(MessageType.PCI_EJECT, payload=ASKED.payload[:4], direction="host-to-guest")
    assert holds(EjectsAnswered, *LINKED, nobody, short, LATE)


@pytest.mark.parametrize(
    "excuse",
    [
        Rescinded(BUS, RELID),
        ChannelClosed(BUS, RELID),
        ChildRemoved(RELID, SLOT, 7, "relations"),
        ChildRemoved(RELID, SLOT, 7, "bus-exit"),
        MessageIgnored(RELID, "EJECT"),
        EjectCompleted(RELID, SLOT, -EAGAIN),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_excuses_the_guest_from_an_answer(excuse: object) -> None:
    taken = (TAKEN,) if isinstance(excuse, EjectCompleted) else ()
    assert holds(EjectsAnswered, *LINKED, ASKED, *taken, excuse, LATE)


def test_a_slow_guest_may_finish_after_the_host_has_taken_the_channel() -> None:
    tale = (*LINKED, ASKED, TAKEN, LATE, EjectOverdue(BUS, SLOT), Rescinded(BUS, RELID))
    assert holds(EjectsAnswered, *tale, EjectCompleted(RELID, SLOT, -ENODEV))


def test_an_answer_may_cross_the_hosts_rescind() -> None:
    assert holds(EjectsAnswered, *LINKED, ASKED, TAKEN, Rescinded(BUS, RELID), ANSWER, DONE)


def test_what_was_asked_on_a_channel_that_closed_is_not_asked_of_who_opens_it_again() -> None:
    leaving = (*LINKED, ChildRemoved(RELID, SLOT, 7, "bus-exit"), ASKED, ChannelClosed(BUS, RELID))
    again = (*leaving, LINKED[1])
    assert holds(EjectsAnswered, *again, LATE, EjectOverdue(BUS, SLOT))
    assert "nobody asked for" in broken(EjectsAnswered, *again, ANSWER).message


def test_a_function_is_ejected_again_in_its_next_life() -> None:
    life = (*LINKED, ASKED, TAKEN, ANSWER, DONE, ChildRemoved(RELID, SLOT, 7, "eject"))
    assert holds(EjectsAnswered, *life, Rescinded(BUS, RELID), *life)
