# SPDX-License-Identifier: MIT
"""The chance of failure over the prefixes of a schedule, as bars. Plays nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sim.explore.explain import Explanation

BAR_WIDTH: Final = 40
BAR: Final = "#"  # drawn in any encoding


def curve_lines(explanation: Explanation) -> Iterator[str]:
    """One bar for each prefix, and where the failure became inevitable."""
    yield "choices played   then, at random, failed"
    for chance in explanation.curve:
        bar = BAR * round(chance.share * BAR_WIDTH)
        yield f"{chance.choices:>14,}   {chance.failed:>3} of {chance.runs:<3} {bar}".rstrip()
    yield _when(explanation)


def _when(explanation: Explanation) -> str:
    if explanation.inevitable is None:
        return "it was never inevitable: after every prefix some completion passed"
    if explanation.choice is None:
        return "it was inevitable from the beginning: no completion passed"
    choice = explanation.choice
    at = f" at `{choice.at}`" if choice.at else ""
    return (
        f"inevitable with choice {explanation.inevitable:,}: `{choice.name}` went on{at};"
        " from there on no completion passed"
    )
