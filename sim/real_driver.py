# SPDX-License-Identifier: MIT
"""What the real driver can play, and where a scenario does not end as on the reference guest.

In natural order every other one that it can play sends the same messages and has the same verdict;
a test plays them all. A row that no longer holds fails that test, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from sim.scenario import drivers_of
from sim.setup import Setup, read_setup


class Kind(Enum):
    """What differs."""

    ORDER = "another of several lawful orders of the messages"
    VERDICT = "the verdict, or the open items that show"


class Difference(NamedTuple):
    """One scenario's; ``why`` is for the reader."""

    kind: Kind
    why: str


_UNINITIALISED: Final = Difference(
    Kind.VERDICT, "what the stack held before is read as if it were written: nobody looks for that"
)

DIFFERENCES: Final[Mapping[str, Difference]] = MappingProxyType(
    {
        "cvm-rescind": _UNINITIALISED,
        "cvm-rescind-compose": _UNINITIALISED,
        "eject-during-unload": Difference(
            Kind.ORDER, "the eject is queued before the unload sets the bus to `removing`"
        ),
        "hibernate-queued-work": Difference(
            Kind.ORDER, "the list that was queued is taken at another moment of the suspend"
        ),
        "hostile-control": Difference(
            Kind.VERDICT, "vmbus_on_msg_dpc() warns of a message of an unknown kind (WARN_ONCE)"
        ),
        "unbind-during-eject": Difference(
            Kind.ORDER, "the eject is queued before the unbind sets the bus to `removing`"
        ),
    }
)


def playable_setups(names: Sequence[str], tree: Path) -> Iterator[Setup]:
    """Those of the scenarios that the real driver can play, with that of a tree."""
    for name in names:
        setup = msgspec.structs.replace(read_setup(name), driver="kernel", tree=str(tree.resolve()))
        if setup.driver in drivers_of(setup.scenario()):
            yield setup
