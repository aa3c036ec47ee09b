# SPDX-License-Identifier: MIT
"""From a setup to schedules: what was found is kept, whatever interrupts making it short."""

from __future__ import annotations

import msgspec
import pytest

from sim import exploration
from sim.campaign import INTERRUPTED, Result
from sim.exploration import baseline, explored, keeping
from sim.keeping import Kept
from tests.sim.orders import IDLE, LEAKING


def quiet(_done: int, _found: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def found() -> Result:
    return explored(LEAKING, strategy="random", schedules=5, seed=0, jobs=1, progress=quiet)


def test_a_baseline_has_the_choices_of_natural_order() -> None:
    assert baseline(IDLE) == baseline(IDLE)
    assert baseline(IDLE).natural.moments


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_kept_is_short(found: Result, jobs: int) -> None:
    (kept,) = keeping(LEAKING, found, seed=0, jobs=jobs, explain=False, progress=quiet)
    assert kept.schedule.in_words
    assert kept.explanation is None


def test_an_interrupted_campaign_keeps_what_it_found_as_it_found_it(found: Result) -> None:
    interrupted = msgspec.structs.replace(found, cut_short=INTERRUPTED)
    (kept,) = keeping(LEAKING, interrupted, seed=0, jobs=1, explain=True, progress=quiet)
    assert not kept.schedule.in_words
    assert len(kept.schedule.choices) == found.found[0].report.choices


def test_ctrl_c_while_schedules_are_made_short_keeps_the_rest_as_found(
    found: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_more: object) -> Kept:
        raise KeyboardInterrupt

    monkeypatch.setattr(exploration, "shortened", interrupted)
    (kept,) = keeping(LEAKING, found, seed=0, jobs=1, explain=False, progress=quiet)
    assert not kept.schedule.in_words
