# SPDX-License-Identifier: MIT
"""A vPCI function has no interrupt pin: a driver answers for that register itself.

The host passes the device's own register on, which says that there is a pin where the device has
one. Nobody serves such an interrupt (hv_pcifront_read_config()'s comment).
"""

from __future__ import annotations

from protocol.link import ConfigRead
from protocol.pci_regs import PCI_INTERRUPT_PIN
from sim.oracles.law import Finding, Sees


class NoIntx:
    """Sees single-byte reads: the PCI core asks for the pin in no other way."""

    name = "the interrupt pin reads as zero"
    kind = "wrong-value"

    def __init__(self) -> None:
        self.sees: Sees = {ConfigRead: self._read}

    def _read(self, event: ConfigRead, *_: object) -> Finding:
        if event.offset != PCI_INTERRUPT_PIN or event.size != 1 or not event.value:
            return None
        return f"slot {event.wslot:#x} of {event.bus} was asked for its pin, and has {event.value}"

    def end(self, _at_ns: int) -> Finding:
        """Nothing is missing at the end."""
        return None
