# SPDX-License-Identifier: MIT
"""What a confidential guest takes and what it leaves, and that scenarios know its kinds."""

from __future__ import annotations

from uuid import UUID

from guest.isolation import ALLOWED_IN_ISOLATED, CVM, ISOLATIONS, NONE
from guest.pci_hyperv.driver import HV_PCIE_GUID
from sim.scenario_grammar import ISOLATIONS as NAMES

KEYBOARD = UUID("f912ad6d-2b17-48ea-bd65-f927a61c7684")


def test_scenarios_name_each_kind_of_isolation() -> None:
    assert tuple(ISOLATIONS) == NAMES


def test_a_vm_takes_every_kind_of_device() -> None:
    assert NONE.takes(HV_PCIE_GUID)
    assert NONE.takes(KEYBOARD)


def test_a_confidential_vm_takes_the_six_kinds_that_were_hardened() -> None:
    assert CVM.takes(HV_PCIE_GUID)
    assert not CVM.takes(KEYBOARD)
    assert len(ALLOWED_IN_ISOLATED) == 6
