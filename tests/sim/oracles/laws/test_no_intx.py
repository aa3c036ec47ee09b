# SPDX-License-Identifier: MIT
"""Asking the device for its interrupt pin is noticed where it has one."""

from __future__ import annotations

import pytest

from protocol.ids import SlotNumber
from protocol.link import ConfigRead
from protocol.pci_regs import PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN
from sim.oracles.laws.no_intx import NoIntx
from tests.sim.oracles.laws.tale import BUS, broken, holds

SLOT = SlotNumber(0)


def test_a_pin_that_the_device_has_is_not_the_guests() -> None:
    violation = broken(NoIntx, ConfigRead(BUS, SLOT, PCI_INTERRUPT_PIN, 1, 1))
    assert violation.kind == "wrong-value"


@pytest.mark.parametrize(
    "read",
    [
        ConfigRead(BUS, SLOT, PCI_INTERRUPT_PIN, 1, 0),
        ConfigRead(BUS, SLOT, PCI_INTERRUPT_LINE, 2, 0x0100),
        ConfigRead(BUS, SLOT, PCI_INTERRUPT_LINE, 1, 11),
    ],
)
def test_other_reads_of_the_device_are_lawful(read: ConfigRead) -> None:
    assert holds(NoIntx, read)
