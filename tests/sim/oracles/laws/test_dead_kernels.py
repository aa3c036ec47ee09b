# SPDX-License-Identifier: MIT
"""Nothing is owed by a kernel that has crashed: what laws and signatures forget of it, and keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import pytest

from guest.events import KernelCrashed
from sim.oracles.judge import judge_trace
from sim.oracles.law import LawFactory
from sim.oracles.laws import LAWS
from sim.oracles.signatures import SIGNATURES
from sim.scenario_reader import load_scenario
from sim.trace import Stamped
from sim.world import play

STORIES = ("kdump", "kdump-during-eject", "kdump-many", "arm64-kdump")
SAID_BY_THE_HOST = {
    "_bus_of_relid",
    "_relid_of_bus",
    "_relids",
    "_relid",
}  # which offer has which relid
MANY = 15  # laws and signatures that the kdump story gives something to keep
# Laws that a second kernel would break if nobody had said that the first one died, and where.
CRIES = {
    "ChildrenAgree": "kdump",
    "EjectsAnswered": "kdump-during-eject",
    "InterruptsArrive": "kdump",
    "OneDriver": "kdump",
    "QuietWhenInstalled": "kdump",
    "SlotsReturned": "kdump-during-eject",
    "UniqueDomains": "kdump",
}
EVERY: tuple[LawFactory, ...] = (*LAWS, *SIGNATURES)
FOLDS: Mapping[str, LawFactory] = {type(fold()).__name__: fold for fold in EVERY}


@lru_cache(maxsize=len(STORIES))
def trace_of(story: str) -> tuple[Stamped, ...]:
    return play(load_scenario(story)).trace


def crash_in(trace: Sequence[Stamped]) -> int:
    return next(i for i, stamped in enumerate(trace) if isinstance(stamped.event, KernelCrashed))


def folded(name: str, trace: Sequence[Stamped]) -> dict[str, object]:
    """What a law or a signature keeps after these events, less what a new one has."""
    made = FOLDS[name]()
    judge_trace(trace, laws=(lambda: made,))
    fresh = vars(FOLDS[name]())
    return {key: value for key, value in vars(made).items() if value != fresh[key]}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("name", FOLDS)
def test_of_a_dead_kernel_nothing_is_kept_but_what_the_host_has_said(name: str, story: str) -> None:
    trace = trace_of(story)
    assert set(folded(name, trace[: crash_in(trace) + 1])) <= SAID_BY_THE_HOST


def test_before_the_crash_much_was_kept() -> None:
    trace = trace_of("kdump")[: crash_in(trace_of("kdump"))]
    assert sum(bool(folded(name, trace)) for name in FOLDS) > MANY


@pytest.mark.parametrize("name", CRIES)
def test_a_second_kernel_breaks_no_law_because_a_first_one_was_there(name: str) -> None:
    trace = trace_of(CRIES[name])
    crash = crash_in(trace)
    law = (FOLDS[name],)
    assert judge_trace(trace, laws=law).violation is None
    unsaid = (*trace[:crash], *trace[crash + 1 :])
    assert judge_trace(unsaid, laws=law).violation is not None
