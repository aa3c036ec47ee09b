# SPDX-License-Identifier: MIT
"""The MSI chip could not send an interrupt again that had come to a CPU which then went away.

Of what is pending on a CPU that goes offline, fixup_irqs() sends on only what the chip itself can
send again; 86bdd16e8f39 lets the chip pass that on to the vector domain.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.pci_hyperv.interrupts import Interrupts


class NoRetrigger(Interrupts):
    """hv_msi_irq_chip without the hook."""

    def hv_irq_retrigger(self, _data: IrqData) -> bool:
        return False


DEFECT = Defect(
    id="irq-retrigger-missing",
    subject="PCI: hv: Set irq_retrigger callback for the Hyper-V PCI MSI irqchip",
    commit="86bdd16e8f39",
    commit_check="verified",
    cls="B",
    fixed="2026-08 / 6.12.111 stable",
    scenario="offline-interrupts-move",
    expect="lost-interrupt",
    why="A device interrupts a CPU that is being taken down, after it has stopped taking interrupts"
    " and before this one is aimed elsewhere. The commit's message has not been read.",
    mixins=(Mixin("driver", NoRetrigger),),
)
