# SPDX-License-Identifier: MIT
"""No interrupt before RESOURCES_ASSIGNED nor after RESOURCES_RELEASED, but for late functions."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest

from guest.events import ChildAdded, FunctionReturned
from host.events import ChannelOffered, ChannelOpened
from protocol.vpci import MessageType
from sim.oracles.laws.interrupts_of_assigned import InterruptsOfAssigned
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, broken, holds, message, told

CHILD = ChildAdded(RELID, SLOT, 0, 0, 7)
LATE = ChildAdded(RELID, OTHER_SLOT, 0, 0, 8)
ASSIGNED = message(MessageType.PCI_RESOURCES_ASSIGNED)
RELEASED = message(MessageType.PCI_RESOURCES_RELEASED)
FORMS = (
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_an_assigned_function_gets_interrupts_and_no_other(form: MessageType) -> None:
    assert holds(InterruptsOfAssigned, CHILD, ASSIGNED, message(form))
    violation = broken(InterruptsOfAssigned, CHILD, message(form))
    assert violation.kind == "protocol"
    assert "slot 0x0" in violation.message


def test_a_function_whose_resources_were_released_gets_none() -> None:
    assert broken(InterruptsOfAssigned, CHILD, ASSIGNED, RELEASED, message(FORMS[0]))
    assert holds(InterruptsOfAssigned, CHILD, ASSIGNED, RELEASED, ASSIGNED, message(FORMS[0]))


def test_each_slot_counts_for_itself() -> None:
    assert broken(InterruptsOfAssigned, CHILD, LATE, ASSIGNED, message(FORMS[0], OTHER_SLOT))


def test_a_function_that_came_after_the_bus_was_set_up_is_let_off() -> None:
    assert holds(InterruptsOfAssigned, CHILD, ASSIGNED, LATE, message(FORMS[0], OTHER_SLOT))


@pytest.mark.parametrize("begin", [ChannelOffered(BUS, RELID), ChannelOpened(BUS, RELID)])
def test_a_channel_that_is_opened_again_has_nothing_assigned(begin: object) -> None:
    assert broken(InterruptsOfAssigned, CHILD, ASSIGNED, LATE, begin, message(FORMS[0]))
    late = message(FORMS[0], OTHER_SLOT)
    assert broken(InterruptsOfAssigned, CHILD, ASSIGNED, LATE, begin, late)


def test_a_driver_that_starts_again_after_a_failed_suspend_is_the_open_item() -> None:
    gone = (CHILD, ASSIGNED, RELEASED)
    failed = FunctionReturned(RELID, "hv_pci_suspend", -ETIMEDOUT)
    create = message(FORMS[0])
    assert told(InterruptsOfAssigned, *gone, failed, create, may_show=("O8",)).known == ("O8",)
    asleep = FunctionReturned(RELID, "hv_pci_suspend", 0)
    assert "open item" not in broken(InterruptsOfAssigned, *gone, asleep, create).message
    assert holds(InterruptsOfAssigned, *gone, asleep, ASSIGNED, create)
