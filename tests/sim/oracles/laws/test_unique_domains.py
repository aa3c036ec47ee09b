# SPDX-License-Identifier: MIT
"""Domains of buses that live at the same time differ; a domain is another bus's afterwards."""

from __future__ import annotations

import pytest

from guest.events import DomainChosen, DomainFreed, DriverRemoved
from guest.pci_core.events import PciDevAdded
from host.events import ChannelOffered
from protocol.ids import RelId
from sim.oracles.laws.unique_domains import UniqueDomains
from tests.sim.oracles.laws.tale import BUS, RELID, broken, holds

OTHER = RelId(2)
CHOSEN = DomainChosen(RELID, 0x454F, 0x454F)
CHOSEN_AGAIN = DomainChosen(OTHER, 0x454F, 0x454F)


def test_two_live_buses_may_not_share_a_domain() -> None:
    violation = broken(UniqueDomains, CHOSEN, CHOSEN_AGAIN)
    assert violation.kind == "wrong-value"
    assert "0x454f of channel 1" in violation.message


def test_a_bus_that_collides_takes_another_domain() -> None:
    assert holds(UniqueDomains, CHOSEN, DomainChosen(OTHER, 0x454F, 1))


@pytest.mark.parametrize(
    "end", [DomainFreed(RELID, 0x454F), DriverRemoved(RELID), ChannelOffered(BUS, RELID)]
)
def test_a_domain_that_was_given_back_may_be_taken(end: object) -> None:
    assert holds(UniqueDomains, CHOSEN, end, CHOSEN_AGAIN)


def test_a_bus_does_not_change_its_domain() -> None:
    assert broken(UniqueDomains, CHOSEN, DomainChosen(RELID, 0x454F, 0x4550))


def test_domain_0_is_nobodys() -> None:
    assert broken(UniqueDomains, DomainChosen(RELID, 0, 0))


def test_a_device_appears_in_the_domain_of_a_bus() -> None:
    assert holds(UniqueDomains, CHOSEN, PciDevAdded("454f:00:02.0", 0, 0))
    assert broken(UniqueDomains, CHOSEN, PciDevAdded("0007:00:02.0", 0, 0))
