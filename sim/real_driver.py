# SPDX-License-Identifier: MIT
"""What the real driver can play, and in which scenarios it is not as on the reference guest.

In natural order every other scenario that it can play has the same wire on Linux 6.12, byte by
byte, and the same verdict. A test plays them all; a row that no longer holds fails it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from sim.scenario import drivers_of
from sim.setup import Setup, read_setup
from sim.wire_rules import OTHER_ORDER, SIDE_BY_SIDE, UNDEFINED_VALUE

# By the difference's name, whose reason is in ``sim/wire_rules.py``.
DIFFERENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cvm-rescind": UNDEFINED_VALUE,
        "cvm-rescind-compose": UNDEFINED_VALUE,
        "eject-during-unload": OTHER_ORDER,  # the eject is queued before the bus is `removing`
        "hibernate-eject": OTHER_ORDER,  # likewise, before the suspend
        "hibernate-queued-work": OTHER_ORDER,  # a list is taken at another moment of the suspend
        "reload": SIDE_BY_SIDE,
        "unbind-during-eject": OTHER_ORDER,  # the eject is queued before the bus is `removing`
    }
)

# Linux 6.1: a VM that is confidential takes no vPCI bus (vmbus_devs[], drivers/hv/channel_mgmt.c).
NOT_TAKEN: Final = "no-vpci-in-confidential-vm"
CONFIDENTIAL: Final = (
    *("cvm-arrival", "cvm-calls-fail", "cvm-rescind", "cvm-rescind-compose"),
    *("hostile-bars", "hostile-blocks", "hostile-completions", "hostile-control"),
    *("hostile-counts", "hostile-interrupt-answer", "hostile-length", "hostile-mapping"),
    *("hostile-read-index", "hostile-slots", "hostile-twins", "hostile-write-index"),
)

# The same of Linux 6.1, by messages and verdict. Its PCI core is another one: not by bytes.
DIFFERENCES_6_1: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(CONFIDENTIAL, NOT_TAKEN),
        "eject-during-unload": OTHER_ORDER,
        "hibernate-queued-work": OTHER_ORDER,
        "unbind-during-eject": OTHER_ORDER,
    }
)


def playable_setups(names: Sequence[str], tree: Path) -> Iterator[Setup]:
    """Those of the scenarios that the real driver can play, with that of a tree."""
    for name in names:
        setup = msgspec.structs.replace(read_setup(name), driver="kernel", tree=str(tree.resolve()))
        if setup.driver in drivers_of(setup.scenario()):
            yield setup
