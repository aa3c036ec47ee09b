# SPDX-License-Identifier: MIT
"""What stands below the interrupt core: the chip of message-signalled interrupts, and its message.

Declares only; the bridge driver is the chip, and knows how its messages reach a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData


class MsiMsg(NamedTuple):
    """struct msi_msg: what the device writes, and where."""

    address_lo: int
    address_hi: int
    data: int


NULL_MSI_MSG = MsiMsg(0, 0, 0)


class MsiController(Protocol):
    """The bridge driver's MSI domain on top of the vectors: chip and msi_domain_ops in one.

    ``compose_msi_msg`` and the mask callbacks run under the interrupt descriptor's lock, with
    interrupts off, except for the first compose of an allocation.
    """

    name: str

    async def compose_msi_msg(self, data: IrqData) -> MsiMsg: ...

    async def irq_mask(self, data: IrqData) -> None: ...

    async def irq_unmask(self, data: IrqData) -> None: ...

    def irq_retrigger(self, data: IrqData) -> bool:
        """Send the interrupt once more; False if the chip has no way to."""

    async def msi_free(self, data: IrqData) -> None: ...
