# SPDX-License-Identifier: MIT
"""One driver a device, from its probe to its remove, and only while the device is there."""

from __future__ import annotations

import pytest

from guest.pci_core.events import (
    DriverBound,
    DriverProbeFailed,
    DriverUnbound,
    PciDevAdded,
    PciDevRemoved,
)
from sim.oracles.laws.one_driver import OneDriver
from tests.sim.oracles.laws.tale import broken, holds

ADDRESS = "454f:00:00.0"
ADDED = PciDevAdded(ADDRESS, 0x144D, 0xA80A)
REMOVED = PciDevRemoved(ADDRESS)
BOUND = DriverBound(ADDRESS, "nvme")
UNBOUND = DriverUnbound(ADDRESS, "nvme")


def test_a_device_may_be_bound_again_and_come_again() -> None:
    life = (ADDED, BOUND, UNBOUND, DriverProbeFailed(ADDRESS, "nvme", -5), BOUND, UNBOUND, REMOVED)
    assert holds(OneDriver, *life, *life)


def test_two_devices_have_a_driver_each() -> None:
    other = "454f:00:01.0"
    assert holds(OneDriver, ADDED, PciDevAdded(other, 0, 0), BOUND, DriverBound(other, "nvme"))


@pytest.mark.parametrize(
    ("tale", "what"),
    [
        ((ADDED, BOUND, DriverBound(ADDRESS, "generic")), "which nvme has"),
        ((BOUND,), "which is not there"),
        ((ADDED, REMOVED, BOUND), "which is not there"),
        ((ADDED, BOUND, REMOVED), "while nvme has it"),
        ((ADDED, ADDED), "although it is there"),
        ((REMOVED,), "although it is not there"),
        ((ADDED, UNBOUND), "which it does not have"),
    ],
)
def test_what_breaks_the_law(tale: tuple[object, ...], what: str) -> None:
    violation = broken(OneDriver, *tale)
    assert violation.kind == "wrong-value"
    assert what in violation.message
