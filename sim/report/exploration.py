# SPDX-License-Identifier: MIT
"""What came of exploring: lines for people, and the document that ``explore --json`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from sim.campaign import Result
from sim.choices import PASSING
from sim.closing import many, statement
from sim.explore.delays import Delay
from sim.explore.named import Named
from sim.keeping import Kept
from sim.replay import ARun, Replay
from sim.report.curve import curve_lines
from sim.report.sentences import Sentence, sentences
from sim.report.violation import report_lines
from sim.schedule import Order
from sim.setup import Setup

NATURAL: Final = Sentence("order", "natural")


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
        "drawn": closing.drawn,
        "unseen": closing.unseen,
        "bound95": closing.bound95,
        "failed": closing.failed,
        "lost": closing.lost,
        "unplayed": result.unplayed,
        "interrupted": result.cut_short is not None,
        "cut_short": result.cut_short,
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
        "passing_twin": schedule.passing_twin,
        "replay": kept.replay,
        **({} if kept.explanation is None else {"explanation": kept.explanation}),
    }


def kept_lines(kept: Kept) -> Iterator[str]:
    """One mistake: the report, the order that shows it, and how to see it again."""
    yield from report_lines(kept.schedule.violation)
    yield f"found    at schedule {kept.found.number:,}, by {kept.found.plan.strategy}"
    yield from schedule_lines(kept.schedule)
    if kept.explanation is not None:
        yield from curve_lines(kept.explanation)
    yield f"replay   {kept.replay}" if kept.file else f"unsaved  {kept.unwritten}"


def schedule_lines(schedule: Order) -> Iterator[str]:
    """The order of a schedule in words, and what differs from it by little and passes."""
    if not schedule.in_words:
        yield f"order    {len(schedule.choices):,} choices that were not put into words"
        return
    names = _names(schedule)
    words = sentences(Named(schedule.delays, schedule.faults), names)
    yield from (f"{kind:<9}{what}" for kind, what in words or [NATURAL])
    if schedule.passing_twin is None:
        return
    twin = sentences(schedule.passing_twin, names)
    if not twin:
        yield "passes   in natural order"
        return
    yield from (f"passes   without this {' '.join(one)}" for one in words if one not in twin)
    yield from (f"passes   with one more {' '.join(one)}" for one in twin if one not in words)


def unmet_lines(schedule: Order, unmet: tuple[Delay, ...]) -> Iterator[str]:
    """The delays of a schedule that ended when nothing else could go on, and not as they say."""
    for _, words in sentences(Named(unmet), _names(schedule)):
        yield f"unmet    {words}: that did not come, and it went on last"


def mode_line(replay: Replay[ARun]) -> str:
    """How it was played, and what that is worth."""
    told = f"mode     {replay.mode}"
    if not replay.changed:
        return told
    told += f": the code has changed ({', '.join(replay.changed)})"
    if replay.diverged_at is None:
        return f"{told}, and every choice still fits"
    return f"{told} and the recorded choices no longer fit from choice {replay.diverged_at} on"


def _names(schedule: Order) -> set[str]:
    """All who had a turn."""
    return {choice.name for choice in schedule.choices}


def closing_lines(result: Result) -> Iterator[str]:
    """The end of the campaign in a few lines."""
    yield from (
        f"by       {share.name}: {many(share.schedules, 'schedule')}, {share.hits:,} failed"
        for share in result.shares
    )
    yield from statement(result.closing)
    if result.unplayed:
        yield f"unplayed {many(result.unplayed, 'schedule')} left a step of the scenario undone"
    if result.cut_short is not None:
        yield f"ended    early: {result.cut_short}"
    yield f"verdict  {_verdict(result)}"


def _verdict(result: Result) -> str:
    if result.found:
        return "violation"
    return f"known: {', '.join(result.known)}" if result.known else "clean"
