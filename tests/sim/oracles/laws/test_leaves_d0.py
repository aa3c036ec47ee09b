# SPDX-License-Identifier: MIT
"""Who fails after D0 entry leaves D0 again; who never got there has nothing to leave."""

from __future__ import annotations

import pytest

from guest.events import FunctionReturned, KernelCrashed
from host.events import ChannelOffered, D0Entered, Rescinded
from protocol.ids import VpIndex
from protocol.vpci import MessageType
from sim.fault_events import FaultInjected
from sim.oracles.laws.leaves_d0 import LeavesD0
from tests.sim.oracles.laws.tale import BUS, RELID, broken, holds, message, told

OFFERED = ChannelOffered(BUS, RELID)
ENTERED = D0Entered(BUS, 0xF800_0000)
EXIT = message(MessageType.PCI_BUS_D0EXIT)
FAILED = FunctionReturned(RELID, "hv_pci_probe", -71)


def test_a_probe_that_fails_in_d0_has_left_it_before() -> None:
    violation = broken(LeavesD0, OFFERED, ENTERED, FAILED)
    assert violation.kind == "leak"
    assert "channel 1" in violation.message
    assert holds(LeavesD0, OFFERED, ENTERED, EXIT, FAILED)


def test_who_left_and_entered_again_leaves_again() -> None:
    assert broken(LeavesD0, OFFERED, ENTERED, EXIT, ENTERED, FAILED)


def test_a_probe_that_succeeds_stays() -> None:
    assert holds(LeavesD0, OFFERED, ENTERED, FunctionReturned(RELID, "hv_pci_probe", 0))


@pytest.mark.parametrize(
    "excuse", [Rescinded(BUS, RELID), KernelCrashed(VpIndex(0)), ChannelOffered(BUS, RELID)]
)
def test_nothing_is_owed_after_a_rescind_or_for_a_dead_kernel(excuse: object) -> None:
    assert holds(LeavesD0, OFFERED, ENTERED, excuse, FAILED)


def test_a_full_ring_is_the_open_item_that_it_is() -> None:
    full = FaultInjected("ring-full", "PCI_RESOURCES_RELEASED")
    judgement = told(LeavesD0, OFFERED, ENTERED, full, FAILED, may_show=("O14",))
    assert (judgement.violation, judgement.known) == (None, ("O14",))
