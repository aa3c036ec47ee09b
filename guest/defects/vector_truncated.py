# SPDX-License-Identifier: MIT
"""A vector was kept in eight bits, while version 1.4 carries 32 of them.

On arm64, where a vector is an SPI's number, the host was asked for another one than the interrupt
has. e70af8d040d2 casts for the older messages only, which exist on x86.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import ONE_BYTE_VECTOR, InterruptRequest
from guest.pci_hyperv.interrupts import Interrupts


class EightBits(Interrupts):
    """hv_compose_msi_msg() with ``u8 vector``."""

    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        request = await super().interrupt_request(hpdev, data)
        return request._replace(vector=request.vector & ONE_BYTE_VECTOR)


DEFECT = Defect(
    id="vector-truncated",
    subject="PCI: hv: Fix the definition of vector in hv_compose_msi_msg()",
    commit="e70af8d040d2",
    commit_check="verified",
    cls="B",
    fixed="2022-10 / v6.1",
    scenario="arm64-many-vectors",
    expect="lost-interrupt",
    why="The second SSD's interrupts have SPIs above 255: what is left of the first of them is no"
    " SPI at all, so the host refuses it.",
    protocol=("1.4",),
    mixins=(Mixin("driver", EightBits),),
)
