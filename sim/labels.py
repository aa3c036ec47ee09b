# SPDX-License-Identifier: MIT
"""Labels, titles and names of contexts, taken apart. Knows their form, and no context.

A label is a kind, a CPU and a title (``work/0:hv_eject_device_work/hv_pci_1``); the host and the
end of a run have a title only. A title is a function and mostly the queue or channel that it is
for; a name is a title with a number that tells it from others (``guest/kernel/context.py``).
"""

from __future__ import annotations


def title_of(label: str) -> str:
    """``hv_eject_device_work/hv_pci_1`` of ``work/0:hv_eject_device_work/hv_pci_1``."""
    return label.partition(":")[2] or label


def function_of(name: str) -> str:
    """``hv_eject_device_work`` of ``hv_eject_device_work/hv_pci_1#2``, a name or a title."""
    return name.partition("/")[0].partition("#")[0]
