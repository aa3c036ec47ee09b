# SPDX-License-Identifier: MIT
"""Memory decoding was on while the PCI core sized the BARs.

The core switches it off and on around each BAR, and each time the host unmaps and maps all of them.
Since 23e118a48acf it is off after their first values were written.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.windows import Windows
from protocol.pci_regs import PCI_COMMAND, PCI_COMMAND_MEMORY


class MemoryBitLeftSet(Windows):
    """prepopulate_bars() that sets PCI_COMMAND_MEMORY at its end."""

    async def prepopulate_bars(self, hbus: HvPciBus) -> None:
        await super().prepopulate_bars(hbus)
        for hpdev in list(hbus.children):
            command = await self._hv_pcifront_read_config(hpdev, PCI_COMMAND, 2) or 0
            decoding = command | PCI_COMMAND_MEMORY
            await self._hv_pcifront_write_config(hpdev, PCI_COMMAND, 2, decoding)


DEFECT = Defect(
    id="bar-sizing-memory-bit",
    subject="PCI: hv: Do not set PCI_COMMAND_MEMORY to reduce VM boot time",
    commit="23e118a48acf",
    commit_check="verified",
    cls="F",
    fixed="2022-05 / v5.19",
    scenario="arrival",
    expect=None,
    why=(
        "It costs time and breaks no rule: the guest boots more slowly, by the size of its "
        "BARs. How often they are mapped can be counted in the trace."
    ),
    mixins=(Mixin("driver", MemoryBitLeftSet),),
)
