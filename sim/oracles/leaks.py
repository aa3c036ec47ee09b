# SPDX-License-Identifier: MIT
"""The census at the end of a run: what is left in the guest that nothing needs any more.

Objects are counted by reachability, as kmemleak does; address ranges, domain numbers, pages and
request ids against what the buses and channels that are still there hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeGuard

from guest.events import ChildAdded, ChildRemoved, DriverRemoved, FunctionReturned
from guest.reference import ReferenceGuest
from host.events import Rescinded
from sim.violation import Leak, Violation

CHILD: Final = "HvPciDev"


def census(
    guest: ReferenceGuest,
    *,
    keepers: Sequence[object] = (),
    held_relids: Collection[int] = (),
    rescinded_children: int = 0,
) -> tuple[Leak, ...]:
    """What leaked, by kind. ``keepers`` hold guest objects from outside: a shell's open files.

    ``held_relids`` are those that the host waits to have back, or has on offer.
    ``rescinded_children`` is how many functions were still on the list of a bus when it went with
    its rescind: those Linux loses (open item O9), and no more than those are explained by it.
    """
    lost = {**guest.unreachable(keepers), **guest.held_for_nothing()}
    lost["relid"] = len(set(held_relids) - guest.relids_in_use())
    leaks = []
    for what, count in sorted(lost.items()):
        explained = min(count, rescinded_children) if what == CHILD else 0
        if explained:
            leaks.append(Leak(what, explained, "O9"))
        if count > explained:
            leaks.append(Leak(what, count - explained))
    return tuple(leaks)


def rescinded_children(events: Iterable[object]) -> int:
    """How many functions were on the list of a bus that was rescinded, when its driver let go."""
    on_list: Counter[int] = Counter()
    rescinded: set[int] = set()
    lost = 0
    for event in events:
        if isinstance(event, ChildAdded):
            on_list[event.relid] += 1
        elif isinstance(event, ChildRemoved):
            on_list[event.relid] -= 1
        elif isinstance(event, Rescinded):
            rescinded.add(event.relid)
        elif isinstance(event, DriverRemoved) or _probe_failed(event):
            lost += on_list.pop(event.relid, 0) if event.relid in rescinded else 0
    return lost


def _probe_failed(event: object) -> TypeGuard[FunctionReturned]:
    return (
        isinstance(event, FunctionReturned)
        and event.function == "hv_pci_probe"
        and event.errno != 0
    )


def judge_leaks(leaks: tuple[Leak, ...], now_ns: int) -> Violation | None:
    """A violation for the leaks that no open item explains."""
    unknown = [leak for leak in leaks if leak.known is None]
    if not unknown:
        return None
    listed = ", ".join(f"{leak.count} {leak.what}" for leak in unknown)
    return Violation("leak", "nothing is lost", f"left behind: {listed}", "end of run", now_ns)
