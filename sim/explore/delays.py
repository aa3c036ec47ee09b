# SPDX-License-Identifier: MIT
"""Delays and faults with names: what natural order needs besides, to be another order. Plays none.

The form in which a schedule is explained to people and kept in its file.
"""

from __future__ import annotations

import msgspec

from sim.explore.stops import Stop
from sim.explore.until import IDLE, parse_until


class Delay(msgspec.Struct, frozen=True):
    """Hold ``context`` at the ``occurrence``-th time (from 1) it is stopped at ``point``.

    ``until`` is in the words of :mod:`sim.explore.until`. A host action is a context stopped at the
    empty point. ``where`` is the function in which it then stands, with the source line where there
    is one; it is told and not looked for.
    """

    context: str
    point: str
    occurrence: int = 1
    until: str = IDLE
    where: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for other words; out of a file that is a msgspec.ValidationError."""
        parse_until(self.until)

    @property
    def stop(self) -> Stop:
        """Where the context is held."""
        return Stop(self.context, self.point, self.occurrence)


class FaultAt(msgspec.Struct, frozen=True):
    """Let ``fault`` happen the ``occurrence``-th time (from 1) it could hit ``at``."""

    fault: str
    at: str
    occurrence: int = 1
