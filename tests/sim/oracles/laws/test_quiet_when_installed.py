# SPDX-License-Identifier: MIT
"""What the channel of an installed bus may carry, message by message."""

from __future__ import annotations

import pytest

from guest.events import BusStateChanged
from host.events import ChannelOffered
from protocol.vpci import MessageType
from sim.oracles.laws.quiet_when_installed import QuietWhenInstalled
from tests.sim.oracles.laws.tale import BUS, RELID, broken, from_host, holds, message

INSTALLED = BusStateChanged(RELID, "installed")
REMOVING = BusStateChanged(RELID, "removing")
LIST = from_host(MessageType.PCI_BUS_RELATIONS2)
QUERY = message(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS)
ALWAYS = (
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
    MessageType.PCI_DELETE_INTERRUPT_MESSAGE,
    MessageType.PCI_READ_BLOCK,
    MessageType.PCI_WRITE_BLOCK,
    MessageType.PCI_EJECTION_COMPLETE,
)
BEFORE_AND_AFTER = (
    MessageType.PCI_QUERY_PROTOCOL_VERSION,
    MessageType.PCI_QUERY_BUS_RELATIONS,
    MessageType.PCI_BUS_D0ENTRY,
    MessageType.PCI_BUS_D0EXIT,
    MessageType.PCI_RESOURCES_ASSIGNED,
    MessageType.PCI_RESOURCES_ASSIGNED2,
    MessageType.PCI_RESOURCES_RELEASED,
    MessageType.PCI_POWER_STATE_CHANGE,
)


@pytest.mark.parametrize("kind", ALWAYS, ids=lambda kind: kind.name)
def test_what_its_functions_need_goes_through(kind: MessageType) -> None:
    assert holds(QuietWhenInstalled, INSTALLED, message(kind))


@pytest.mark.parametrize("kind", BEFORE_AND_AFTER, ids=lambda kind: kind.name)
def test_what_a_bus_says_when_it_comes_or_goes_is_not_said_in_between(kind: MessageType) -> None:
    assert holds(QuietWhenInstalled, message(kind), INSTALLED, REMOVING, message(kind))
    violation = broken(QuietWhenInstalled, INSTALLED, message(kind))
    assert violation.kind == "protocol"
    assert hex(kind) in violation.message


def test_the_host_may_say_what_it_likes() -> None:
    assert holds(QuietWhenInstalled, INSTALLED, from_host(MessageType.PCI_EJECT), LIST)


def test_each_list_may_bring_a_function_to_a_slot() -> None:
    assert holds(QuietWhenInstalled, LIST, QUERY, INSTALLED, LIST, QUERY)
    assert holds(QuietWhenInstalled, LIST, INSTALLED, LIST, QUERY, QUERY)


def test_a_function_is_not_asked_about_without_a_list() -> None:
    assert "more often" in broken(QuietWhenInstalled, LIST, QUERY, INSTALLED, QUERY).message


def test_a_new_channel_is_not_installed_and_has_had_no_list() -> None:
    fresh = ChannelOffered(BUS, RELID)
    assert holds(QuietWhenInstalled, INSTALLED, fresh, message(MessageType.PCI_BUS_D0ENTRY))
    assert broken(QuietWhenInstalled, LIST, fresh, QUERY)
    assert holds(QuietWhenInstalled, LIST, QUERY, fresh, LIST, QUERY)
