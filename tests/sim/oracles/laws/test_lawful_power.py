# SPDX-License-Identifier: MIT
"""D0 and resources in the protocol's order, retry and failure included."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest
from msgspec.structs import replace

from guest.events import FunctionReturned, RescindFlagRaised
from host.events import ChannelMoved, ChannelOffered, ChannelOpened
from protocol.ids import RelId
from protocol.vpci import MessageType
from sim.oracles.laws.lawful_power import LawfulPower
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, broken, holds, message, told

ENTRY = message(MessageType.PCI_BUS_D0ENTRY)
EXIT = message(MessageType.PCI_BUS_D0EXIT)
ASSIGN = message(MessageType.PCI_RESOURCES_ASSIGNED2, SLOT)
ASSIGN_OTHER = message(MessageType.PCI_RESOURCES_ASSIGNED, OTHER_SLOT)
RELEASE = message(MessageType.PCI_RESOURCES_RELEASED, SLOT)
RELEASE_OTHER = message(MessageType.PCI_RESOURCES_RELEASED, OTHER_SLOT)
CREATE = message(MessageType.PCI_CREATE_INTERRUPT_MESSAGE3)
SHORT_ASSIGN, SHORT_RELEASE, SHORT_CREATE = (
    message(kind, payload=kind.to_bytes(4, "little"))
    for kind in (
        MessageType.PCI_RESOURCES_ASSIGNED2,
        MessageType.PCI_RESOURCES_RELEASED,
        MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
    )
)
LIFE = (ENTRY, ASSIGN, ASSIGN_OTHER, CREATE, RELEASE_OTHER, RELEASE, EXIT)


def test_a_whole_life_is_in_order() -> None:
    assert holds(LawfulPower, *LIFE)


def test_a_refused_entry_is_undone_before_the_next() -> None:
    assert holds(LawfulPower, ENTRY, RELEASE_OTHER, RELEASE, EXIT, *LIFE)


def test_an_unload_may_leave_d0_without_releasing_anything() -> None:
    assert holds(LawfulPower, ENTRY, ASSIGN, EXIT)


@pytest.mark.parametrize("begin", [ChannelOffered(BUS, RELID), ChannelOpened(BUS, RELID)])
def test_a_channel_that_is_opened_again_begins_out_of_d0(begin: object) -> None:
    assert holds(LawfulPower, ENTRY, ASSIGN, begin, *LIFE)
    assert broken(LawfulPower, ENTRY, begin, EXIT)


def test_a_packet_that_crosses_the_rescind_is_in_order() -> None:
    assert holds(LawfulPower, ENTRY, RescindFlagRaised(RELID), ASSIGN)


@pytest.mark.parametrize(
    ("tale", "what"),
    [
        ((EXIT,), "D0EXIT out of D0"),
        ((ENTRY, EXIT, EXIT), "D0EXIT out of D0"),
        ((ENTRY, ENTRY), "D0ENTRY in D0"),
        ((ASSIGN,), "assigned out of D0"),
        ((*LIFE, ASSIGN), "assigned out of D0"),
        ((*LIFE, RELEASE), "released out of D0"),
        ((*LIFE, CREATE), "created out of D0"),
        ((ENTRY, ASSIGN_OTHER, ASSIGN), "after those of a higher slot"),
        ((ENTRY, ASSIGN, ASSIGN), "after those of a higher slot"),
        ((ENTRY, RELEASE, RELEASE_OTHER), "after those of a lower slot"),
        ((ENTRY, SHORT_ASSIGN), "of no slot assigned: the message is too short"),
        ((ENTRY, SHORT_RELEASE), "of no slot released: the message is too short"),
        ((SHORT_CREATE,), "an interrupt of no slot created out of D0"),
    ],
)
def test_what_breaks_the_law(tale: tuple[object, ...], what: str) -> None:
    violation = broken(LawfulPower, *tale)
    assert violation.kind == "protocol"
    assert what in violation.message


def test_what_is_sent_on_a_bus_whose_suspend_failed_is_the_open_item() -> None:
    failed = (*LIFE, FunctionReturned(RELID, "hv_pci_suspend", -ETIMEDOUT))
    for late in (CREATE, EXIT, RELEASE):
        assert told(LawfulPower, *failed, late, may_show=("O8",)).known == ("O8",)
        recovered = FunctionReturned(RELID, "hv_pci_resume", 0)
        assert "open item" not in broken(LawfulPower, *failed, recovered, late).message


def test_a_bus_that_hibernates_leaves_d0_and_enters_it_on_a_channel_that_was_opened_again() -> None:
    asleep = FunctionReturned(RELID, "hv_pci_suspend", 0)
    moved = ChannelMoved(BUS, RELID, RelId(3))
    life = [replace(packet, relid=RelId(3)) for packet in LIFE]
    assert holds(LawfulPower, *LIFE, asleep, moved, ChannelOpened(BUS, RelId(3)), *life)
