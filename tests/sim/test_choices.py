# SPDX-License-Identifier: MIT
"""The only randomness of the lab: the same numbers everywhere, evenly spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.choices import (
    NO_FAULT,
    ONE_FAULT_IN,
    ONE_LATE_IN,
    PASSING,
    Choice,
    DecisionChooser,
    Fault,
    Option,
    RandomChooser,
    RecordingChooser,
    ReplayChooser,
    ScheduleDiverged,
    SplitMix64,
)


class Somebody:
    """Who could go on."""

    stop = 0
    done = False

    def __init__(self, name: str, at: str = "here") -> None:
        self.name = name
        self.at = at


ABC = [Somebody(name) for name in "abc"]
FAILING = (NO_FAULT, Fault("fault allocation-failure", "HvDrState"))


def test_splitmix64_gives_the_published_numbers() -> None:
    """The values that the reference implementation (Vigna, splitmix64.c) prints for this seed."""
    random = SplitMix64(1234567)
    assert [random.next_u64() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 1000))
def test_a_bounded_number_is_within_its_bound(seed: int, bound: int) -> None:
    random = SplitMix64(seed)
    assert all(0 <= random.below(bound) < bound for _ in range(20))


def test_everybody_who_can_run_is_chosen_about_equally_often() -> None:
    chooser = RandomChooser(7)
    chosen = Counter(chooser.choose(ABC) for _ in range(3000))
    assert set(chosen) == {0, 1, 2}
    assert all(900 < count < 1100 for count in chosen.values())


@pytest.mark.parametrize(
    ("options", "one_in"),
    [([*ABC, PASSING], ONE_LATE_IN), ([ABC[0], PASSING], ONE_LATE_IN), (FAILING, ONE_FAULT_IN)],
)
def test_time_and_faults_are_chosen_seldom(options: Sequence[Option], one_in: int) -> None:
    chooser = RandomChooser(7)
    last = len(options) - 1
    chosen = Counter(chooser.choose(options) for _ in range(100 * one_in))
    assert 70 < chosen[last] < 130
    assert set(chosen) == set(range(len(options)))


def test_that_time_passes_is_an_option_of_no_place() -> None:
    assert (PASSING.name, PASSING.at) == ("time", "")


def test_a_recording_keeps_indices_always_and_names_on_demand() -> None:
    bare = RecordingChooser(RandomChooser(3))
    named = RecordingChooser(RandomChooser(3), names=True)
    for _ in range(9):
        assert bare.choose(ABC) == named.choose(ABC)
    assert bare.decisions == named.decisions == [choice.index for choice in named.choices]
    assert bare.choices == []
    assert {(choice.name, choice.at) for choice in named.choices} <= {(x, "here") for x in "abc"}


@pytest.mark.parametrize(
    "recorded", [Choice(1, "c", "here"), Choice(1, "b", "there"), Choice(3, "b", "here")]
)
def test_a_replay_refuses_another_option_than_it_recorded(recorded: Choice) -> None:
    chooser = ReplayChooser([Choice(1, "b", "here"), recorded])
    assert chooser.choose(ABC) == 1
    with pytest.raises(ScheduleDiverged, match="step 1: option"):
        chooser.choose(ABC)


def test_beyond_its_end_a_replay_is_natural_order() -> None:
    for chooser in (ReplayChooser([Choice(2, "c", "here")]), DecisionChooser([2])):
        assert [chooser.choose(ABC) for _ in range(3)] == [2, 0, 0]


def test_bare_decisions_diverge_where_there_are_too_few_options() -> None:
    with pytest.raises(ScheduleDiverged, match="step 0: there is no option 3 among 3"):
        DecisionChooser([3]).choose(ABC)
