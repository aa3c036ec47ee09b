# SPDX-License-Identifier: MIT
"""A PCI function as a user of the guest sees it, whichever kind of guest that is."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """One resource, as ``resource`` in sysfs has it: inclusive addresses and IORESOURCE_ flags."""

    start: int
    end: int
    flags: int


class FunctionSeen(NamedTuple):
    """``resources`` are those of the BARs, ``config`` all of configuration space."""

    domain: int
    bus: int
    devfn: int
    resources: tuple[Window, ...]
    config: bytes
