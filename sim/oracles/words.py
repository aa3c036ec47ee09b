# SPDX-License-Identifier: MIT
"""What the reference guest's faults speak of, in the words of the real driver's.

A fault of the reference names a class and an attribute; one of the real driver the function that
allocated the object, or that touched it. Signatures are written in the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REAL_DRIVERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "FunctionInstance.": ("of an object of step_probe",),
        "HvPciBus.": ("of an object of hv_pci_probe",),
        "PciSlot.": ("of an object of pci_create_slot",),
        "Requestor.": ("of an object of bitmap_alloc", "of an object of vmbus_alloc_requestor"),
        "SpinLock.": ("of an object of hv_pci_probe",),
        "WorkQueue.": ("of an object of make_queue",),
        "block_invalidate": ("hv_pci_onchannelcallback calls address",),
        "hbus->wq": ("is queued on no workqueue",),
        "hbus->wq is NULL": ("is queued on no workqueue",),
        "irq domain with interrupts": ("kernel/irq/irqdomain.c",),
        "never read to its end": ("without a trap", "things and does not end"),
        "probed_bar": ("of new_pcichild_device",),
        "ring of channel": ("hv_ringbuffer_", "hv_pkt_iter_"),
    }
)


def speaks_of(message: str, what: str) -> bool:
    """Whether a violation's message, of either guest, is about that."""
    return what in message or any(word in message for word in REAL_DRIVERS.get(what, ()))
