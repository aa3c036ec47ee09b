# SPDX-License-Identifier: MIT
"""A vPCI function has no interrupt pin: a driver answers for that register itself.

The host passes the device's own register on, which says that there is a pin where the device has
one; nobody serves such an interrupt (hv_pcifront_read_config()). Knows single-byte reads, since the
PCI core asks for the pin in no other way.
"""

from __future__ import annotations

from typing import ClassVar

from protocol.link import ConfigRead
from protocol.pci_regs import PCI_INTERRUPT_PIN
from sim.oracles.law import Finding, Law, Sees


class NoIntx(Law):
    """Remembers nothing."""

    name = "the interrupt pin of a function reads as zero"
    kind = "wrong-value"

    def _read(self, event: ConfigRead, _at_ns: int, _context: object) -> Finding:
        if event.offset != PCI_INTERRUPT_PIN or event.size != 1 or not event.value:
            return None
        return f"slot {event.wslot:#x} of {event.bus} was asked for its pin, which is {event.value}"

    sees: ClassVar[Sees] = {ConfigRead: _read}
