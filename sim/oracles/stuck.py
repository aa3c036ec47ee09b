# SPDX-License-Identifier: MIT
"""Contexts that can never go on: a circle of locks is a deadlock, anything else a hang."""

from __future__ import annotations

from collections.abc import Sequence

from guest.kernel.context import Context, Kind
from guest.kernel.sync import Mutex, SpinLock
from sim.violation import Violation


def judge_waiting(contexts: Sequence[Context], now_ns: int) -> Violation | None:
    """Judge the contexts that had not ended when nothing could happen any more.

    Actors do not count: an event that never came is the scenario's matter.
    """
    guest = [context for context in contexts if context.kind is not Kind.ACTOR]
    if not guest:
        return None
    circle = _circle(guest)
    stuck = circle or guest
    return Violation(
        kind="deadlock" if circle else "hang",
        law="everybody gets on",
        message="; ".join(_describe(context) for context in stuck),
        context=stuck[0].name,
        at_ns=now_ns,
    )


def _owner(context: Context) -> Context | None:
    """Who keeps this context from going on: a lock's holder, or who is on its CPU instead."""
    wanted = context.waiting_for
    if isinstance(wanted, (Mutex, SpinLock)):
        return wanted.owner
    cpu = context.cpu
    if context.ready and cpu is not None:
        return cpu.hardirq or cpu.softirq or cpu.thread
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
    held = ", ".join(repr(lock) for lock in context.held) or "nothing"
    wanted = "its CPU" if context.ready else repr(context.waiting_for)
    return f"{context.name} waits for {wanted} and holds {held}"
