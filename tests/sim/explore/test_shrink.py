# SPDX-License-Identifier: MIT
"""Failing schedules of real scenarios become short stories, which are true."""

from __future__ import annotations

from functools import cache

import pytest
from msgspec.structs import replace

from sim.choices import PASSING, RandomChooser, ReplayChooser
from sim.distinct import mistake_of
from sim.explore.delay import DelayStrategy
from sim.explore.delays import Delay
from sim.explore.named import NATURAL, Named, waits_of
from sim.explore.profile import baseline_of, profile_of
from sim.explore.shrink import Playing, Shrunk, shrink
from sim.explore.smaller import Smaller
from sim.explore.trials import profiled
from sim.setup import Lab, Setup, read_setup
from sim.violation import Violation

ORDERLY = read_setup("eject-idle", "eject-ref-leak")  # fails in any order
RACING = read_setup("rescind-during-eject", "remove-vs-pending-work")
LATE = read_setup("unload-slow-host", "busexit-stack-packet")


def failing(setup: Setup) -> tuple[list[int], Violation]:
    """The first random schedule that fails."""
    play = Playing(Lab(setup))
    for seed in range(200):
        run = profiled(play, RandomChooser(seed))
        if run.violation is not None:
            return [choice.index for choice in run.choices], run.violation
    raise AssertionError("no schedule of two hundred fails")


@cache
def racing() -> Shrunk:
    """Shrinking takes seconds, and each test looks at another side of it."""
    found = shrink(RACING, failing(RACING)[0])
    assert found is not None
    return found


def test_a_shrunk_schedule_ends_in_the_same_violation_choice_by_choice_and_by_its_delays() -> None:
    found = racing()
    play = Playing(Lab(found.setup))
    assert mistake_of(found.violation) == mistake_of(failing(RACING)[1])
    assert play(ReplayChooser(found.choices)) == found.violation
    assert play(Named(found.delays, found.faults).chooser()) == found.violation


def test_it_comes_down_to_at_most_two_delays_and_a_twin_of_one_less_that_passes() -> None:
    found = racing()
    assert 1 <= len(found.delays) <= 2
    twin = found.passing_twin
    assert twin is not None
    assert len(twin.delays) == len(found.delays) - 1
    assert Playing(Lab(found.setup))(twin.chooser()) is None


def test_a_shrunk_schedule_passes_on_the_driver_without_the_bug() -> None:
    found = racing()
    lab = Lab(found.setup)
    chooser = Named(found.delays, found.faults).chooser()
    assert lab.world(chooser, defects=()).run().violation is None


def test_the_scenario_keeps_what_the_failure_needs_and_little_else() -> None:
    scenario, before = Lab(racing().setup).scenario, Lab(RACING).scenario
    verbs = {getattr(step, "verb", "") for actor in scenario.actors for step in actor.steps}
    assert {"offer", "eject", "rescind"} <= verbs
    steps = [sum(len(actor.steps) for actor in one.actors) for one in (scenario, before)]
    assert steps[0] < steps[1] or scenario.guest.vcpus < before.guest.vcpus


def test_what_fails_in_any_order_needs_no_delay_and_shrinks_the_same_way_twice() -> None:
    decisions, _ = failing(ORDERLY)
    found = shrink(ORDERLY, decisions)
    assert found is not None
    assert not found.delays
    assert not found.faults
    assert PASSING.name not in {choice.name for choice in found.choices}
    assert Lab(found.setup).world(NATURAL.chooser()).run().violation == found.violation
    assert shrink(ORDERLY, decisions) == found


def test_a_schedule_that_does_not_fail_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fail"):
        shrink(read_setup("eject-idle"), [])


def test_the_race_of_an_eject_with_the_probe_comes_down_to_one_delay_that_names_both() -> None:
    setup = read_setup("eject-during-probe", "eject-before-root-bus")
    play = Playing(Lab(setup))
    plans = DelayStrategy(baseline_of(play), seed=0).plans(100)
    runs = (profiled(play, plan.chooser()) for plan in plans)
    run = next(run for run in runs if run.violation is not None)
    found = shrink(setup, [choice.index for choice in run.choices])
    assert found is not None
    (delay,) = found.delays
    assert delay.context.startswith("vmbus_add_channel_work")  # there hv_pci_probe runs
    assert delay.until.startswith("ended hv_eject_device_work")
    assert found.passing_twin == NATURAL
    assert Lab(found.setup).scenario.guest.vcpus == 1


# --- which smaller scenarios are accepted ---


def smaller(setup: Setup, most: int = 50) -> Smaller:
    violation = Lab(setup).world(NATURAL.chooser()).run().violation
    assert violation is not None
    return Smaller(setup, NATURAL, violation, most)


def test_a_smaller_scenario_must_be_one_that_can_be_read_and_played() -> None:
    judge = smaller(ORDERLY)
    assert judge.sound
    assert judge.fails(ORDERLY.text)
    assert not judge.fails("name = 1")
    assert not judge.fails(ORDERLY.text.replace('do = "eject"', 'do = "unheard-of"'))
    before, last, after = ORDERLY.text.rpartition("\n]")
    assert judge.fails(f"{before}\n  {{ after_ns = 1 }},{last}{after}")
    assert not judge.fails(f'{before}\n  {{ wait = "driver-bound", count = 99 }},{last}{after}')


def test_a_smaller_scenario_that_a_clean_driver_fails_tells_nothing() -> None:
    judge = smaller(ORDERLY)
    untrue = ORDERLY.text + '\n[expect]\nverdict = "EPROTO"\n'
    assert not judge.fails(untrue)


def test_after_too_many_runs_no_scenario_is_tried_any_more() -> None:
    assert not smaller(ORDERLY, most=1).fails(ORDERLY.text)


def test_a_delay_is_found_again_under_the_name_that_its_context_has_in_a_smaller_scenario() -> None:
    lab = Lab(LATE)
    play = Playing(lab)
    waits = waits_of(profile_of(play).moments)
    late = (Delay(*wait.stop, "late") for wait in waits if wait.stop.point == "lock req_lock")
    delay = next(delay for delay in late if play(Named((delay,)).chooser()) is not None)
    wanted = play(Named((delay,)).chooser())
    assert wanted is not None
    other = replace(delay, context=delay.context.rpartition("#")[0] + "#99")
    judge = Smaller(LATE, Named((other,)), wanted, 200)
    assert judge.fails(LATE.text)
    assert judge.named == Named((delay,))
