# SPDX-License-Identifier: MIT
"""Plans as the library takes them: those whose choosers are written in C, too. Plays none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes import pointer, string_at
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from guest.native import known as native
from sim.explore.delay_plan import DelayPlan, LongestPlan, shorter
from sim.explore.delays import Delay, FaultAt
from sim.explore.dfs_run import DfsPlan, Fork, Trunk
from sim.explore.independence import Step
from sim.explore.pct import PctPlan
from sim.explore.pos import PosPlan
from sim.explore.random import RandomPlan
from sim.explore.sampling import Rare
from sim.explore.starve import StarvePlan
from sim.explore.stops import Stop
from sim.explore.strategy import Plan
from sim.explore.surw import SurwPlan
from sim.explore.until import parse_until


class InC(IntEnum):
    """``enum kind`` of core/choose.c."""

    RANDOM = 1
    PCT = 2
    POS = 3
    STARVE = 4
    DELAYS = 5
    SURW = 6
    ORDERS = 7


SURW_PLANS_KEPT: Final = 256  # one for each object that contexts share

_UNTIL: Final = ("idle", "late", "steps", "ended", "reached")  # enum vx_until


def _walk(kind: InC, seed: int, windows: Rare, **more: Any) -> native.Plan:
    return native.Plan(
        kind=kind, seed=seed, late_window=windows.late, fault_window=windows.fault, **more
    )


def _delays(plan: DelayPlan) -> native.Plan:
    delays = (native.DelayPlan * len(plan.delays))(*map(_delay, plan.delays))
    faults = (native.StopPlan * len(plan.faults))(*map(_fault, plan.faults))
    return native.Plan(
        kind=InC.DELAYS,
        delays_count=len(delays),
        delays=delays,
        faults_count=len(faults),
        faults=faults,
    )


def _delay(delay: Delay) -> native.DelayPlan:
    until = parse_until(delay.until)
    return native.DelayPlan(
        stop=_stop(delay.stop),
        until=_stop(until.stop),
        kind=_UNTIL.index(until.kind),
        number=until.number,
    )


def _fault(fault: FaultAt) -> native.StopPlan:
    return native.StopPlan(
        name=fault.fault.encode(), point=fault.at.encode(), occurrence=fault.occurrence
    )


def _stop(stop: Stop) -> native.StopPlan:
    return native.StopPlan(
        name=stop.context.encode(), point=stop.point.encode(), occurrence=stop.occurrence
    )


@lru_cache(maxsize=SURW_PLANS_KEPT)
def _surw_plan(
    thing: str, weights: tuple[tuple[str, int], ...], parents: tuple[tuple[str, str], ...]
) -> native.SurwPlan:
    """What the plans of one object have in common."""
    weighed = (native.Weight * len(weights))(
        *(native.Weight(name.encode(), count) for name, count in weights)
    )
    started = (native.Parent * len(parents))(
        *(native.Parent(name.encode(), parent.encode()) for name, parent in parents)
    )
    return native.SurwPlan(
        thing=thing.encode(),
        weights=weighed,
        parents=started,
        weights_count=len(weighed),
        parents_count=len(started),
    )


def _surw(plan: SurwPlan) -> native.Plan:
    shared = _surw_plan(plan.thing, (*plan.weights.items(),), (*plan.parents.items(),))
    return _walk(InC.SURW, plan.seed, plan.windows, surw=pointer(shared))


def _orders(plan: DfsPlan) -> native.Plan:
    sleepers = (native.Sleeper * len(plan.asleep))(*map(_sleeper, plan.asleep))
    orders = native.OrdersPlan(
        decisions=plan.decisions,
        sleepers=sleepers,
        decisions_count=len(plan.decisions),
        sleepers_count=len(sleepers),
    )
    return native.Plan(kind=InC.ORDERS, orders=pointer(orders))


def _sleeper(step: Step) -> native.Sleeper:
    points = (step.before.encode(), step.after.encode())
    return native.Sleeper(step.context.encode(), *points, step.stop, step.cpu)


IN_C: Final[Mapping[type[Plan], Callable[[Any], native.Plan]]] = {
    RandomPlan: lambda plan: _walk(InC.RANDOM, plan.seed, plan.windows),
    PctPlan: lambda plan: _walk(
        InC.PCT, plan.seed, plan.windows, depth=plan.depth, choices=plan.choices
    ),
    PosPlan: lambda plan: _walk(InC.POS, plan.seed, plan.windows),
    StarvePlan: lambda plan: _walk(InC.STARVE, plan.seed, plan.windows, choices=plan.choices),
    DelayPlan: _delays,
    LongestPlan: _delays,
    SurwPlan: _surw,
    DfsPlan: _orders,
}


def told_by(plan: Plan, known: native.Known) -> tuple[Plan, ...]:
    """What branches off from a plan that was played in C."""
    if isinstance(plan, LongestPlan):
        return shorter(plan.delays[0], known.report.lasted)
    if isinstance(plan, DfsPlan):
        return (_trunk(plan, known.trunk),)
    return ()


def _trunk(plan: DfsPlan, trunk: native.Trunk) -> Trunk:
    return Trunk(
        string_at(trunk.decisions, trunk.decisions_count),
        len(plan.decisions),
        string_at(trunk.widths, trunk.widths_count),
        dict(_forks(iter(trunk.forks[: trunk.forks_count]), _steps(trunk))),
    )


def _steps(trunk: native.Trunk) -> list[Step]:
    return [
        Step(each.context.decode(), each.stop, each.cpu, each.before.decode(), each.after.decode())
        for each in trunk.sleepers[: trunk.sleepers_count]
    ]


def _forks(numbers: Iterator[int], steps: Sequence[Step]) -> Iterator[tuple[int, Fork]]:
    for place in numbers:
        asleep = tuple(steps[number] for number in islice(numbers, next(numbers)))
        yield place, Fork(asleep, tuple(islice(numbers, next(numbers))))
