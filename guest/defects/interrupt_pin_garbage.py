# SPDX-License-Identifier: MIT
"""The interrupt pin of a function was not answered with zero, but with what the device has there.

Only message-signalled interrupts exist on a vPCI bus. Until fea93a3e5d5e the area that reads as
zero ended one byte too early.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.config import Config
from guest.pci_hyperv.emulated_registers import EMULATED_READS, emulated_accesses
from protocol.pci_regs import PCI_INTERRUPT_PIN


class PinFromDevice(Config):
    """_hv_pcifront_read_config() whose area of zeroes ends before the pin."""

    emulated_reads = emulated_accesses(
        area for area in EMULATED_READS if area.start != PCI_INTERRUPT_PIN
    )


DEFECT = Defect(
    id="interrupt-pin-garbage",
    subject="PCI: hv: Return zero, not garbage, when reading PCI_INTERRUPT_PIN",
    commit="fea93a3e5d5e",
    commit_check="verified",
    cls="F",
    fixed="2024-07 / v6.11",
    scenario="arrival",
    expect="wrong-value",
    why="The PCI core believes in a pin and an interrupt line that nobody serves.",
    mixins=(Mixin("driver", PinFromDevice),),
)
