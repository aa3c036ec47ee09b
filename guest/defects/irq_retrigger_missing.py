# SPDX-License-Identifier: MIT
"""The MSI chip could not send an interrupt again that had come to a CPU which then went away.

The core asks the chip; 86bdd16e8f39 passes that on to the vector domain.
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="irq-retrigger-missing",
    subject="PCI: hv: Set irq_retrigger callback for the Hyper-V PCI MSI irqchip",
    commit="86bdd16e8f39",
    commit_check="verified",
    cls="B",
    fixed="2026-08 / 6.12.111 stable",
    scenario="retarget",
    expect=None,
    why="The core asks for it when a CPU goes offline, or when a line is enabled that was"
    " disabled; scenarios have neither yet. The commit's message has not been read.",
)
