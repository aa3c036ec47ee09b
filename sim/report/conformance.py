# SPDX-License-Identifier: MIT
"""What a peer does against the protocol, as people and programs read it.

A table with a row for each case and a column for each version, then what failed: the case in words
and the lanes up to the first message that differs, the one that nothing came of, or the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sim.closing import many
from sim.conformance.case import Case, HostCase
from sim.conformance.outcome import RESULTS, Outcome, Target, versions_of
from sim.report.lane_rows import rows_of
from sim.report.lanes import WIDE, Layout, lines_of

CELLS: Final = {"passed": "pass", "failed": "FAIL", "skipped": "-", "observed": "other"}
NOT_RUN: Final = ""
ROWS_BEFORE: Final = 12  # of the lanes, up to the message that differs
DIFFERS: Final = "<== the first that differs"
UNANSWERED: Final = "<== nothing came of this"  # behind a message to the peer
NOTHING_MORE: Final = "<== nothing more came"
_CELL: Final = 6


def conformance_dict(target: Target, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What ``--json`` prints."""
    counts = Counter(outcome.result for outcome in outcomes)
    return {
        "target": target.side,
        "peer": target.peer,
        "profile": target.profile,
        "cases": [
            {
                "id": outcome.case.id,
                "version": outcome.version,
                "strength": outcome.case.strength,
                "result": outcome.result,
                "why": outcome.why,
            }
            for outcome in outcomes
        ],
        **{result: counts[result] for result in RESULTS},
    }


def table_lines(
    themes: Mapping[str, tuple[Case, ...]], outcomes: Sequence[Outcome]
) -> Iterator[str]:
    """The table: a block for each theme, a row for each of its cases that was run."""
    found = {(outcome.case.id, outcome.version): outcome.result for outcome in outcomes}
    versions = versions_of(outcomes)
    run = {outcome.case.id for outcome in outcomes}
    width = max(map(len, run), default=0)
    heading = "".join(f"{version:>{_CELL}}" for version in versions)
    for theme, cases in themes.items():
        rows = [case for case in cases if case.id in run]
        if rows:
            yield f"{theme:<{width + 2}}  {'strength':<8}{heading}"
            yield from (_row(case, versions, found, width) for case in rows)


def _row(
    case: Case, versions: Sequence[str], found: Mapping[tuple[str, str], str], width: int
) -> str:
    cells = (found.get((case.id, version)) for version in versions)
    told = "".join(f"{CELLS[cell] if cell else NOT_RUN:>{_CELL}}" for cell in cells)
    return f"  {case.id:<{width}}  {case.strength:<8}{told}".rstrip()


def outcome_lines(outcome: Outcome, layout: Layout = WIDE) -> Iterator[str]:
    """One case that did not pass: what it asks for, what was seen, and the lanes around that."""
    case = outcome.case
    yield f"{outcome.result}: {case.id}, version {outcome.version} ({case.strength})"
    yield f"  given  {case.given}"
    yield f"  when   {case.when}"
    yield f"  then   {case.then}"
    yield f"  seen   {outcome.why}"
    yield f"  source {case.source}"
    yield from _lanes(outcome, layout)


def _lanes(outcome: Outcome, layout: Layout) -> Iterator[str]:
    """The picture up to the message that differs, whose mark has a row of its own behind it."""
    rows = [row for row in rows_of(outcome.trace) if outcome.at is None or row.seq <= outcome.at]
    if not rows:
        return
    first = max(0, len(rows) - ROWS_BEFORE)
    mark = rows[-1]._replace(direction="", message="", note=_mark(outcome))
    heading, *lines = lines_of([*rows[first:], mark], layout)
    yield heading
    if first:
        yield f"{'':>14}({first} rows before)"
    yield from lines


def _mark(outcome: Outcome) -> str:
    if outcome.at is None:
        return NOTHING_MORE
    ours = "guest-to-host" if isinstance(outcome.case, HostCase) else "host-to-guest"
    marked = next(stamped.event for stamped in outcome.trace if stamped.seq == outcome.at)
    return UNANSWERED if getattr(marked, "direction", None) == ours else DIFFERS


def observed_lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """What a peer does that no rule binding it asks for; versions that agree share a line."""
    seen: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.result == "observed":
            seen.setdefault((outcome.case.id, outcome.why), []).append(outcome.version)
    for (name, why), versions in seen.items():
        yield f"observed {name} {', '.join(versions)}: {why}"


def skipped_lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Why cases were skipped, each reason once, with how many it keeps from running."""
    reasons = Counter(outcome.why for outcome in outcomes if outcome.result == "skipped")
    for why, count in reasons.items():
        yield f"skipped {count:>4}  {why}"


def summary_line(target: Target, outcomes: Sequence[Outcome]) -> str:
    """The end, in one line."""
    counts = Counter(outcome.result for outcome in outcomes)
    told = ", ".join(f"{counts[result]} {result}" for result in RESULTS)
    return f"{target.peer}: {many(len(outcomes), 'case')}: {told}"
