# SPDX-License-Identifier: MIT
"""Which open items of the driver account for a violation, though the scenario names none of them.

A run is judged again as if they were named. Plays nothing, and knows no item by name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from sim.actors import UnplayedStep
from sim.judging import Ended, judge_run
from sim.oracles.law import LawFactory
from sim.result import Verdict
from sim.scenario_grammar import OPEN_ITEMS


def excusing(run: Ended, laws: Sequence[LawFactory]) -> tuple[str, ...]:
    """The items that a scenario has to name besides its own for the run to be ``known``.

    Where one violation ended the run, all that account for it, any of which would do; otherwise
    none that the run would do without. Nothing where no items account for it.
    """
    named = run.scenario.expect.known
    verdict = _judged(run, laws, OPEN_ITEMS)
    if verdict is None or verdict.verdict == "violation":
        return ()
    needed = [item for item in verdict.known if item not in named]
    if verdict.explained is not None:
        return tuple(needed)
    for item in tuple(needed):
        others = [other for other in needed if other != item]
        without = _judged(run, laws, (*named, *others))
        if without is None or without.verdict != "violation":
            needed = others
    return tuple(needed)


def _judged(run: Ended, laws: Sequence[LawFactory], items: Collection[str]) -> Verdict | None:
    """The verdict if these items may show; None for a run that is a mistake of the scenario."""
    expect = replace(run.scenario.expect, known=tuple(items))
    again = run._replace(scenario=replace(run.scenario, expect=expect), recorder=None)
    try:
        return judge_run(again, laws)
    except UnplayedStep:
        return None
