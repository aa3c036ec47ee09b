# SPDX-License-Identifier: MIT
"""Plans as the library takes them: those whose choosers are written in C, too. Plays none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

from guest.native import known as native
from sim.explore.delay_plan import DelayPlan, LongestPlan, shorter
from sim.explore.delays import Delay
from sim.explore.pct import PctPlan
from sim.explore.pos import PosPlan
from sim.explore.random import RandomPlan
from sim.explore.sampling import Rare
from sim.explore.starve import StarvePlan
from sim.explore.stops import Stop
from sim.explore.strategy import Plan
from sim.explore.until import parse_until


class InC(IntEnum):
    """``enum kind`` of core/choose.c."""

    RANDOM = 1
    PCT = 2
    POS = 3
    STARVE = 4
    DELAYS = 5


_UNTIL: Final = ("idle", "late", "steps", "ended", "reached")  # enum vx_until


def _walk(kind: InC, seed: int, windows: Rare, **more: int) -> native.Plan:
    return native.Plan(
        kind=kind, seed=seed, late_window=windows.late, fault_window=windows.fault, **more
    )


def _delays(plan: DelayPlan) -> native.Plan | None:
    if plan.faults:
        return None
    rows = (native.DelayPlan * len(plan.delays))(*map(_delay, plan.delays))
    return native.Plan(kind=InC.DELAYS, delays_count=len(rows), delays=rows)


def _delay(delay: Delay) -> native.DelayPlan:
    until = parse_until(delay.until)
    return native.DelayPlan(
        stop=_stop(delay.stop),
        until=_stop(until.stop),
        kind=_UNTIL.index(until.kind),
        number=until.number,
    )


def _stop(stop: Stop) -> native.StopPlan:
    return native.StopPlan(
        name=stop.context.encode(), point=stop.point.encode(), occurrence=stop.occurrence
    )


# None where this plan is for Python.
IN_C: Final[Mapping[type[Plan], Callable[[Any], native.Plan | None]]] = {
    RandomPlan: lambda plan: _walk(InC.RANDOM, plan.seed, plan.windows),
    PctPlan: lambda plan: _walk(
        InC.PCT, plan.seed, plan.windows, depth=plan.depth, choices=plan.choices
    ),
    PosPlan: lambda plan: _walk(InC.POS, plan.seed, plan.windows),
    StarvePlan: lambda plan: _walk(InC.STARVE, plan.seed, plan.windows, choices=plan.choices),
    DelayPlan: _delays,
    LongestPlan: _delays,
}


def told_by(plan: Plan, report: native.Report) -> tuple[Plan, ...]:
    """What branches off from a plan that was played in C."""
    return shorter(plan.delays[0], report.lasted) if isinstance(plan, LongestPlan) else ()
