# SPDX-License-Identifier: MIT
"""The closing statement says what was seen, and never that there is nothing to find."""

from __future__ import annotations

from collections import Counter

import pytest

from sim.closing import Closing, closing, statement
from sim.explore.strategy import Exhausted


def told(
    traces: list[int],
    *,
    failed: int = 0,
    lost: int = 0,
    drawn: int | None = None,
    complete: bool = False,
) -> Closing:
    return closing(
        Counter(traces),
        drawn=len(traces) if drawn is None else drawn,
        failed=failed,
        lost=lost,
        determinism_checks=1,
        exhausted=(Exhausted("one delay", 214, complete),),
    )


def test_the_share_of_unseen_traces_is_estimated_from_those_seen_once() -> None:
    assert told([1, 1, 1, 2]).unseen == pytest.approx(0.25)
    assert told([1, 2, 3, 4]).unseen == pytest.approx(1.0)
    assert told([1, 1, 2, 2]).unseen == pytest.approx(0.0)


def test_the_bound_is_three_in_all_schedules_unless_one_failed() -> None:
    assert told([1] * 2000).bound95 == pytest.approx(0.0015)
    assert told([1] * 2000, failed=1).bound95 is None
    assert told([1]).bound95 == 1.0
    assert told([]).bound95 is None


def test_the_bound_holds_for_trials_that_are_not_alike() -> None:
    # Half of them cannot fail, the others do with the chance that the bound still allows.
    schedules = 2000
    bound = told([1] * schedules).bound95
    assert bound is not None
    assert (1 - 2 * bound) ** (schedules // 2) == pytest.approx(0.05, abs=0.002)


def test_the_statement_names_what_was_exhausted_and_what_was_lost() -> None:
    text = "\n".join(statement(told([1, 1, 2], lost=2)))
    assert "3 schedules, 2 traces different from each other, 0 failed" in text
    assert "all of   the 214 schedules with one delay" in text
    assert "0.33 (1 trace seen once)" in text
    assert "lost     2 schedules" in text


@pytest.mark.parametrize(
    ("schedules", "bound"),
    [(2, "100%"), (20, "15%"), (64, "4.7%"), (2_000, "0.15%"), (100_000, "0.003%")],
)
def test_a_small_bound_is_not_told_as_none(schedules: int, bound: str) -> None:
    text = "\n".join(statement(told([1, 2] * (schedules // 2))))
    assert f"bound    below {bound} of schedules like these fail" in text


def test_orders_that_were_not_drawn_say_nothing_of_others() -> None:
    tried = told([1, 2, 3], drawn=0)
    assert (tried.unseen, tried.bound95) == (None, None)
    assert "bound    none: these orders were tried in turn" in "\n".join(statement(tried))
    assert told([1, 2, 3], drawn=1).bound95 is not None


def test_a_bound_is_told_only_where_there_is_something_to_bound() -> None:
    every, same, failed = told([1, 2], complete=True), told([1] * 2000), told([1], failed=1)
    assert "bound    none: no order of this scenario is left" in "\n".join(statement(every))
    assert "bound    none: whatever was chosen, the same" in "\n".join(statement(same))
    assert "bound" not in "\n".join(statement(failed))


@pytest.mark.parametrize("what", [told([]), told([1]), told([1] * 2000), told([1], failed=1)])
def test_the_statement_never_says_that_there_is_nothing(what: Closing) -> None:
    text = "\n".join(statement(what)).lower()
    assert text
    assert not any(word in text for word in ("no bug", "bug-free", "correct", "proves", "safe"))
