# SPDX-License-Identifier: MIT
"""The census at the end of a run: what is left in the guest that nothing needs any more.

Objects are counted by reachability, as kmemleak does; address ranges, domain numbers, pages and
request ids against what the buses and channels that are still there hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guest.reference import ReferenceGuest
from sim.violation import Leak, Violation

# What Linux itself loses, by the open item of its driver that says why.
KNOWN: Final[Mapping[str, str]] = {"HvPciDev": "O9"}


def census(guest: ReferenceGuest, known: tuple[str, ...]) -> tuple[Leak, ...]:
    """What leaked, by kind; ``known`` are the open items that the scenario says may show."""
    lost = {**guest.unreachable(), **guest.held_for_nothing()}
    return tuple(
        Leak(what, count, item if (item := KNOWN.get(what)) in known else None)
        for what, count in sorted(lost.items())
        if count
    )


def judge_leaks(leaks: tuple[Leak, ...], now_ns: int) -> Violation | None:
    """A violation for the leaks that no open item explains."""
    unknown = [leak for leak in leaks if leak.known is None]
    if not unknown:
        return None
    listed = ", ".join(f"{leak.count} {leak.what}" for leak in unknown)
    return Violation("leak", "nothing is lost", f"left behind: {listed}", "end of run", now_ns)
