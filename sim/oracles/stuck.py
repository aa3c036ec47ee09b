# SPDX-License-Identifier: MIT
"""Contexts that can never go on: a circle of locks is a deadlock, anything else a hang."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from guest.kernel.context import Context, Kind, TakenLock
from guest.kernel.freezer import PoweredOff
from guest.kernel.sync import Mutex, SpinLock
from sim.stacks import of_waiting
from sim.violation import Violation, Whose

LAW: Final = "everybody gets on"
TOLD_MAX: Final = 16  # contexts of a hang; the circle of a deadlock is told whole


def judge_waiting(contexts: Sequence[Context], now_ns: int) -> Violation | None:
    """Judge the contexts that had not ended when nothing could happen any more.

    Actors do not count: an event that never came is the scenario's matter.
    """
    guest = _of_guest(contexts)
    if not guest:
        return None
    circle = _circle(guest)
    stuck = circle or guest[:TOLD_MAX]
    kind = "deadlock" if circle else "hang"
    return _violation(kind, map(_describe, stuck), stuck[0].label, stuck, now_ns)


def judge_stuck(reason: str, busy: str, contexts: Sequence[Context], now_ns: int) -> Violation:
    """The violation of a run that goes on and gets nowhere; ``busy`` labels who keeps it so."""
    guest = _of_guest(contexts)[:TOLD_MAX]
    return _violation("hang", [reason, *map(_describe, guest)], busy, guest, now_ns)


def _violation(
    kind: str, told: Iterable[str], context: str, stuck: Sequence[Context], now_ns: int
) -> Violation:
    return Violation(
        kind=kind,
        law=LAW,
        message="; ".join(told),
        context=context,
        at_ns=now_ns,
        stacks=tuple(of_waiting(each.coroutine) for each in stuck),
        whose=tuple(Whose("waits", each.label, now_ns) for each in stuck),
    )


def _of_guest(contexts: Sequence[Context]) -> list[Context]:
    """Those of the guest, less who only waits for the machine to be switched on."""
    guest = (context for context in contexts if context.kind is not Kind.ACTOR)
    return [context for context in guest if not _waits_for_power(context)]


def _waits_for_power(context: Context) -> bool:
    """Whether the machine is off for it, or for the last in the line of those it waits for."""
    line: list[Context] = []
    following: Context | None = context
    while following is not None and following not in line:
        line.append(following)
        following = _needed(following)
    wanted = line[-1].waiting_for
    return isinstance(wanted, PoweredOff) and wanted.off


def _needed(context: Context) -> Context | None:
    """Who has to go on first: the one it waits for by name, or the owner of what it wants."""
    wanted = context.waiting_for
    return wanted if isinstance(wanted, Context) else _owner(context)


def _owner(context: Context) -> Context | None:
    """Who keeps this context from going on: a lock's holder, or who is on its CPU instead."""
    wanted = context.waiting_for
    if isinstance(wanted, (Mutex, SpinLock, TakenLock)):
        return wanted.owner
    cpu = context.cpu
    if context.ready and cpu is not None:
        return cpu.running
    return None


def _circle(contexts: Sequence[Context]) -> list[Context]:
    """The contexts of a circle of owners, or an empty list."""
    for start in contexts:
        path = [start]
        following = _owner(start)
        while following is not None and following not in path:
            path.append(following)
            following = _owner(following)
        if following is not None:
            return path[path.index(following) :]
    return []


def _describe(context: Context) -> str:
    held = ", ".join(str(lock) for lock in context.held) or "nothing"
    wanted = "its CPU" if context.ready else str(context.waiting_for)
    return f"{context.name} waits for {wanted} and holds {held}"
