# SPDX-License-Identifier: MIT
"""The census at the end of a run: what is left in the guest that nothing needs any more.

Objects are counted by reachability, as kmemleak does; address ranges, domain numbers, pages and
request ids against what the buses and channels that are still there hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sim.guests import Guest
from sim.violation import Leak, Violation


def census(
    guest: Guest,
    *,
    keepers: Sequence[object] = (),
    held_relids: Collection[int] = (),
) -> tuple[Leak, ...]:
    """What leaked, by kind. ``keepers`` hold guest objects from outside: a shell's open files.

    ``held_relids`` are those that the host waits to have back, or has on offer.
    """
    return leaks_of(guest.lost(keepers, held_relids))


def leaks_of(lost: Mapping[str, int]) -> tuple[Leak, ...]:
    """What of this, so many of each kind, leaked."""
    return tuple(Leak(what, count) for what, count in sorted(lost.items()) if count > 0)


def judge_leaks(leaks: tuple[Leak, ...], now_ns: int) -> Violation | None:
    """A violation for the leaks that no open item explains."""
    unknown = [leak for leak in leaks if leak.known is None]
    if not unknown:
        return None
    listed = ", ".join(f"{leak.count} {leak.what}" for leak in unknown)
    return Violation("leak", "nothing is lost", f"left behind: {listed}", "end of run", now_ns)
