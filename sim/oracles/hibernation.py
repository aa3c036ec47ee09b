# SPDX-License-Identifier: MIT
"""What laws and signatures ask of a hibernating guest: who does it, whether it is under way, and
which buses have failed. Knows no law.
"""

from __future__ import annotations

from typing import Final

import msgspec

from guest.events import FunctionReturned, ProcessesFrozen

THREAD: Final = "hibernate"  # the kernel's one thread that puts devices to sleep and wakes them
HALVES: Final = frozenset({"hv_pci_suspend", "hv_pci_resume"})


def by_hibernation(context: object) -> bool:
    """Whether that context, or its label, is the hibernating thread's."""
    label = str(getattr(context, "label", context))
    return label.rpartition(":")[2] == THREAD


class Hibernations(msgspec.Struct):
    """``under_way`` from when processes stand still until they go on; ``half_down`` are the relids
    of buses whose suspend or resume has failed."""

    under_way: bool = False
    half_down: set[int] = msgspec.field(default_factory=set)

    def see(self, event: ProcessesFrozen | FunctionReturned) -> None:
        """It begins, or something of it came back."""
        if isinstance(event, ProcessesFrozen):
            self.under_way = True
        elif event.function == THREAD:
            self.under_way = False
        elif event.function in HALVES:
            if event.errno:
                self.half_down.add(event.relid)
            else:
                self.half_down.discard(event.relid)
