# SPDX-License-Identifier: MIT
"""A request id completes once for each packet that carried it, however often it is used again."""

from __future__ import annotations

from guest.events import RequestCompleted
from host.events import ChannelClosed, ChannelOffered
from protocol.ids import TransactionId
from protocol.vpci import MessageType
from sim.oracles.laws.request_ids import RequestIds
from tests.sim.oracles.laws.tale import BUS, RELID, broken, holds, message, request

FIRST = RequestCompleted(RELID, TransactionId(1), 24)


def test_each_request_may_complete_once() -> None:
    assert holds(RequestIds, request(1), request(2), FIRST)


def test_a_second_completion_of_one_request_is_found() -> None:
    violation = broken(RequestIds, request(1), FIRST, FIRST)
    assert violation.kind == "protocol"
    assert "request 1" in violation.message


def test_a_completion_that_nobody_waits_for_is_found() -> None:
    assert broken(RequestIds, request(2), FIRST)
    assert broken(RequestIds, message(MessageType.PCI_QUERY_BUS_RELATIONS), FIRST)


def test_an_id_is_used_again_after_its_completion() -> None:
    assert holds(RequestIds, request(1), FIRST, request(1), FIRST)


def test_an_id_that_the_asker_took_back_is_used_again() -> None:
    assert holds(RequestIds, request(1), request(1), FIRST)


def test_ids_of_two_channels_have_nothing_to_do_with_each_other() -> None:
    assert broken(RequestIds, request(1, relid=2), FIRST)


def test_a_new_channel_begins_with_no_request() -> None:
    assert broken(RequestIds, request(1), ChannelOffered(BUS, RELID), FIRST)


def test_a_channel_that_was_closed_has_no_request_any_more() -> None:
    assert broken(RequestIds, request(1), ChannelClosed(BUS, RELID), FIRST)


def test_a_request_may_be_completed_while_it_is_being_sent() -> None:
    assert holds(RequestIds, FIRST, request(1))


def test_what_completed_a_request_early_stands_for_its_one_completion() -> None:
    assert broken(RequestIds, FIRST, request(1), FIRST)
