# SPDX-License-Identifier: MIT
"""What came of exploring: lines for people, and the document that ``explore --json`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from sim.campaign import Result
from sim.choices import PASSING
from sim.closing import statement
from sim.explore.delays import Delay, FaultAt
from sim.keeping import Kept
from sim.report.violation import report_lines
from sim.setup import Setup


def document(setup: Setup, name: str, result: Result, kept: Sequence[Kept]) -> dict[str, Any]:
    """The document; ``name`` is the scenario's."""
    closing = result.closing
    return {
        "scenario": name,
        "driver": setup.driver,
        "defects": setup.defects,
        "strategies": result.shares,
        "schedules": closing.schedules,
        "distinct_traces": closing.distinct_traces,
        "schedules_per_second": closing.schedules / result.seconds if result.seconds else None,
        "determinism_checks": closing.determinism_checks,
        "exhausted": closing.exhausted,
        "unseen": closing.unseen,
        "bound95": closing.bound95,
        "failed": closing.failed,
        "lost": closing.lost,
        "unplayed": result.unplayed,
        "interrupted": result.interrupted,
        "violations": [_violation(one) for one in kept],
        "known": result.known,
    }


def _violation(kept: Kept) -> dict[str, Any]:
    schedule = kept.schedule
    return {
        **msgspec.structs.asdict(schedule.violation),
        "found_at_schedule": kept.found.number,
        "strategy": kept.found.plan.strategy,
        "schedule_file": kept.file,
        "decisions": [choice.index for choice in schedule.choices],
        "delays": schedule.delays,
        "faults": schedule.faults,
        "late": sum(choice.name == PASSING.name for choice in schedule.choices),
        "passing_twin": None,
        "replay": kept.replay,
    }


def kept_lines(kept: Kept) -> Iterator[str]:
    """One mistake: the report, the order that shows it, and how to see it again."""
    yield from report_lines(kept.schedule.violation)
    yield f"found    at schedule {kept.found.number:,}, by {kept.found.plan.strategy}"
    yield from order_lines(kept.schedule.delays, kept.schedule.faults)
    yield f"replay   {kept.replay}" if kept.file else f"unsaved  {kept.unwritten}"


def order_lines(delays: Sequence[Delay], faults: Sequence[FaultAt]) -> Iterator[str]:
    """Natural order but for these."""
    for delay in delays:
        where = f"at {delay.point}" if delay.point else "as it is due"
        yield (
            f"delay    {delay.context}, stopped {where} for the {_nth(delay.occurrence)} time,"
            f" until {delay.until}"
        )
    for fault in faults:
        where = f" of {fault.at}" if fault.at else ""
        yield f"fault    {fault.fault}{where}, the {_nth(fault.occurrence)} time it could happen"


def closing_lines(result: Result) -> Iterator[str]:
    """The end of the campaign in a few lines."""
    yield from (
        f"by       {share.name}: {share.schedules:,} schedules, {share.hits:,} failed"
        for share in result.shares
    )
    yield from statement(result.closing)
    if result.unplayed:
        yield f"unplayed {result.unplayed:,} schedules left a step of the scenario undone"
    if result.interrupted:
        yield "ended    early: interrupted"
    yield f"verdict  {_verdict(result)}"


def _verdict(result: Result) -> str:
    if result.found:
        return "violation"
    return f"known: {', '.join(result.known)}" if result.known else "clean"


def _nth(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"
