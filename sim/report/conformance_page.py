# SPDX-License-Identifier: MIT
"""Outcomes as one page of HTML: the table, and beside each failure what was seen and the lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from sim.conformance.case import Case
from sim.conformance.outcome import Outcome, Target, versions_of
from sim.report.conformance import outcome_lines, summary_line

TEMPLATE: Final = "conformance.html"
TOLD: Final = frozenset({"failed", "observed"})  # each of these has a place of its own


def page_text(
    target: Target, themes: Mapping[str, tuple[Case, ...]], outcomes: Sequence[Outcome]
) -> str:
    """The page; themes and cases that were not run are left out."""
    run = {outcome.case.id for outcome in outcomes}
    kept = {theme: [case for case in cases if case.id in run] for theme, cases in themes.items()}
    environment = Environment(
        loader=PackageLoader("sim.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        target=target,
        summary=summary_line(target, outcomes),
        themes={theme: cases for theme, cases in kept.items() if cases},
        versions=versions_of(outcomes),
        found={(outcome.case.id, outcome.version): outcome for outcome in outcomes},
        outcomes=outcomes,
        told=TOLD,
        lines=outcome_lines,
    )
