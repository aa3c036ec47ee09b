# SPDX-License-Identifier: MIT
"""The guest's functions and the host's last list, compared when nothing can happen any more."""

from __future__ import annotations

from errno import EPROTO

import pytest

from guest.events import ChildAdded, ChildRemoved, FunctionReturned, MessageIgnored, RelationsQueued
from host.events import ChannelClosed, ChannelOffered, ChannelOpened, Rescinded
from protocol.link import PacketPublished
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
)
from sim.fault_events import FaultInjected
from sim.faults import RING_FULL
from sim.oracles.laws.children_agree import ChildrenAgree
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, broken, holds, message, told

OPEN = (ChannelOffered(BUS, RELID), ChannelOpened(BUS, RELID))
ADDED = ChildAdded(RELID, SLOT, 0x144D, 0xA80A, 7)
OTHER_ADDED = ChildAdded(RELID, OTHER_SLOT, 0x144D, 0xA80A, 8)
REMOVED = ChildRemoved(RELID, SLOT, 7, "relations")
EJECTED = (ChildRemoved(RELID, SLOT, 7, "eject"), message(MessageType.PCI_EJECTION_COMPLETE))
QUEUED = RelationsQueued(RELID, 1, coalesced=False)


def listed(*functions: tuple[int, int]) -> PacketPublished:
    """A list of these slots and serial numbers, as 1.3 has it."""
    func = tuple(PciFunctionDescription2(win_slot=slot, ser=serial) for slot, serial in functions)
    payload = PciBusRelations2(device_count=len(func), func=func).build()
    return message(MessageType.PCI_BUS_RELATIONS2, payload=payload, direction="host-to-guest")


ASKED = message(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS)
BOTH = (listed((0, 7), (1, 8)), QUEUED)
FIRST = (listed((0, 7)), QUEUED)
NONE = (listed(), QUEUED)


def test_the_functions_of_the_last_list_are_there() -> None:
    assert holds(ChildrenAgree, *OPEN, *BOTH, ADDED, OTHER_ADDED)
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, *BOTH, OTHER_ADDED)
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, *NONE, REMOVED)


def test_a_function_that_is_missing_is_lost() -> None:
    violation = broken(ChildrenAgree, *OPEN, *BOTH, ADDED)
    assert violation.kind == "lost-device"
    assert "has slots 0x0 where the host says slots 0x0, 0x1" in violation.message


def test_a_function_that_the_host_took_off_the_list_is_not_there() -> None:
    assert "no functions" in broken(ChildrenAgree, *OPEN, *FIRST, ADDED, *NONE).message


def test_a_function_counts_once_and_by_its_serial_number() -> None:
    assert broken(ChildrenAgree, *OPEN, *FIRST, ADDED, ADDED)
    assert broken(ChildrenAgree, *OPEN, listed((0, 9)), QUEUED, ADDED)


def test_a_list_in_the_first_form_counts_as_well() -> None:
    func = (PciFunctionDescription(win_slot=SLOT, ser=7),)
    payload = PciBusRelations(device_count=1, func=func).build()
    first = message(MessageType.PCI_BUS_RELATIONS, payload=payload, direction="host-to-guest")
    assert holds(ChildrenAgree, *OPEN, first, QUEUED, ADDED)
    assert broken(ChildrenAgree, *OPEN, first, QUEUED)


def test_a_function_that_was_given_up_is_not_missed_until_it_is_listed_again() -> None:
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, *EJECTED)
    assert broken(ChildrenAgree, *OPEN, *FIRST, ADDED, *EJECTED, *FIRST)


@pytest.mark.parametrize(
    "excuse",
    [
        Rescinded(BUS, RELID),
        ChannelClosed(BUS, RELID),
        MessageIgnored(RELID, "BUS_RELATIONS"),
        FunctionReturned(RELID, "hv_pci_probe", -EPROTO),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_channel_that_went_proves_nothing(excuse: object) -> None:
    assert holds(ChildrenAgree, *OPEN, *BOTH, ADDED, excuse)


def test_a_guest_that_was_told_nothing_is_right() -> None:
    assert holds(ChildrenAgree, *OPEN)
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, ChannelClosed(BUS, RELID), OPEN[1])


def test_functions_outlive_a_channel_that_is_closed_and_opened_again() -> None:
    again = (ChannelClosed(BUS, RELID), OPEN[1], *FIRST)
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, *again)


def test_a_function_that_could_not_be_asked_about_is_an_open_item() -> None:
    no_memory = (*OPEN, *FIRST)
    assert told(ChildrenAgree, *no_memory, may_show=("O15",)) == (None, ("O15",))
    no_room = (*OPEN, *FIRST, FaultInjected(RING_FULL, "PCI_QUERY_RESOURCE_REQUIREMENTS"))
    assert told(ChildrenAgree, *no_room, may_show=("O14",)) == (None, ("O14",))
    assert "open item" not in broken(ChildrenAgree, *OPEN, *FIRST, ASKED).message


def test_a_list_that_was_never_queued_is_open_item_15() -> None:
    tale = (*OPEN, *FIRST, ADDED, BOTH[0])
    assert told(ChildrenAgree, *tale, may_show=("O15",)) == (None, ("O15",))
    assert "open item O15" in broken(ChildrenAgree, *tale).message


def test_a_list_that_its_packet_does_not_hold_is_no_word_at_all() -> None:
    head = PciBusRelations2(device_count=0).build()[:4]
    claims_two = message(
        MessageType.PCI_BUS_RELATIONS2,
        payload=head + (2).to_bytes(4, "little"),
        direction="host-to-guest",
    )
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, claims_two)


def test_a_run_that_a_fault_ended_proves_nothing() -> None:
    assert told(ChildrenAgree, *OPEN, *BOTH, ADDED, whole=False) == (None, ())


def test_the_next_channel_of_that_number_has_no_functions_yet() -> None:
    assert holds(ChildrenAgree, *OPEN, *FIRST, ADDED, Rescinded(BUS, RELID), *OPEN, *NONE)


def test_what_a_failed_probe_leaves_behind_is_not_the_next_ones() -> None:
    failed = FunctionReturned(RELID, "hv_pci_probe", -EPROTO)
    left = (*OPEN, *FIRST, ADDED, ChannelClosed(BUS, RELID), failed)
    assert holds(ChildrenAgree, *left, OPEN[1], *FIRST, ADDED)
    assert broken(ChildrenAgree, *left, OPEN[1], *FIRST)
