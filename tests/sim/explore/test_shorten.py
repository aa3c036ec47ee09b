# SPDX-License-Identifier: MIT
"""Failing runs of toys whose bugs are known come down to the delays by which they were planted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from msgspec.structs import replace

from sim.choices import Chooser, RandomChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import NATURAL, Named
from sim.explore.profile import Profile
from sim.explore.shorten import passing_twin, shortest
from sim.explore.trials import Play, ProfiledRun, Trials, profiled
from sim.violation import Violation
from tests.sim.explore.toys import Await, Body, Sleep, Toy, points

TRIALS_MAX = 500
BROKEN = Violation("use-after-free", "rules", "object read", "work/0:user", 0)


def playing(bodies: Mapping[str, Body], *, lates: int = 0) -> Play:
    def play(chooser: Chooser) -> Violation | None:
        found = Toy(bodies, chooser, lates=lates).run().get("violation")
        assert found is None or isinstance(found, Violation)
        return found

    return play


def failing_run(play: Play) -> ProfiledRun:
    """The first run in random order that fails."""
    runs = (profiled(play, RandomChooser(seed)) for seed in range(10_000))
    return next(run for run in runs if run.violation is not None)


def shortened(play: Play, run: ProfiledRun | None = None) -> tuple[Named, Named | None]:
    """The shortest schedule that fails, and its twin; both are what they should be."""
    run = run or failing_run(play)
    assert run.violation is not None
    trials = Trials(play, run.violation, TRIALS_MAX)
    found = shortest(trials, run)
    assert found is not None
    assert play(found.chooser()) == run.violation
    twin = passing_twin(trials, found)
    assert twin is None or play(twin.chooser()) is None
    assert trials.made <= TRIALS_MAX
    return found, twin


def user(toy: Toy) -> Iterator[object]:
    yield "lock"
    yield "unlock"  # and here the object must not go
    if toy.state.get("freed"):
        toy.state["violation"] = BROKEN
    yield "use"


def remover(toy: Toy) -> Iterator[object]:
    yield "lock"
    toy.state["freed"] = True
    yield "kfree"


NOISE: dict[str, Body] = {f"noise{n}": points("p", "q", "p", "q", "p") for n in range(4)}


def test_a_bug_of_one_delay_comes_down_to_that_delay_and_says_until_when() -> None:
    found, twin = shortened(playing({"user": user, **NOISE, "remover": remover}))
    (delay,) = found.delays
    assert delay.context == "user"
    assert delay.point in ("start", "lock", "unlock")
    assert delay.until == "ended remover"
    assert twin == NATURAL


def test_a_bug_of_two_delays_comes_down_to_two_and_its_twin_has_one() -> None:
    def both(toy: Toy) -> Iterator[object]:
        for name in ("first", "second"):
            toy.state[name] = name
            yield f"clear {name}"

    def reader(name: str, bodies: dict[str, Body]) -> None:
        def body(toy: Toy) -> Iterator[object]:
            yield f"read {name}"
            seen = toy.state.setdefault("seen", [])
            seen.append(toy.state.get(name))
            if seen == ["first", "second"]:
                toy.state["violation"] = replace(BROKEN, context="work/0:reader of second")

        bodies[f"reader of {name}"] = body

    bodies: dict[str, Body] = {}
    reader("first", bodies)
    reader("second", bodies)
    found, twin = shortened(playing({**bodies, **NOISE, "writer": both}))
    assert {delay.context for delay in found.delays} == {"reader of first", "reader of second"}
    assert len(found.delays) == 2
    assert {delay.until.partition(" ")[2].partition(" @")[0] for delay in found.delays} <= {
        "writer",
        "reader of first",
    }
    assert twin is not None
    assert len(twin.delays) == 1


def test_what_fails_in_natural_order_needs_no_delay_and_a_twin_has_one() -> None:
    found, twin = shortened(playing({"remover": remover, "user": user, **NOISE}))
    assert found == NATURAL
    assert twin is not None
    (delay,) = twin.delays
    assert delay.context == "remover"


def test_a_bug_that_must_stop_half_way_names_the_stop() -> None:
    def half(toy: Toy) -> Iterator[object]:
        toy.state["freed"] = True
        yield "half"
        toy.state["freed"] = False
        yield "whole"

    found, _ = shortened(playing({"user": user, **NOISE, "half": half}))
    (delay,) = found.delays
    assert (delay.context, delay.until) == ("user", "reached half @ half # 1")


def test_no_hold_is_said_to_end_by_what_comes_only_after_it() -> None:
    def waiting(toy: Toy) -> Iterator[object]:
        yield "lock"
        toy.state["freed"] = True
        yield Await("wait used", lambda: "violation" in toy.state)
        yield "unlock"

    found, _ = shortened(playing({"user": user, "remover": waiting}))
    (delay,) = found.delays
    assert delay.context == "user"
    assert delay.until == "idle"  # the remover returns, but waits for the user before


def test_a_fault_that_the_bug_needs_is_kept_and_others_are_not() -> None:
    def unlucky(toy: Toy) -> Iterator[object]:
        yield "begin"
        failed = [toy.fails("fault ring-full", "sendpacket") for _ in range(5)]
        toy.state["freed"] = failed[2]
        yield "end"

    found, twin = shortened(playing({"user": user, **NOISE, "unlucky": unlucky}))
    assert found.faults == (FaultAt("fault ring-full", "sendpacket", 3),)
    assert [delay.context for delay in found.delays] == ["user"]
    assert twin is not None
    assert len(twin.delays) + len(twin.faults) == 1


def test_who_must_be_late_is_held_until_what_comes_with_time() -> None:
    def timer(toy: Toy) -> Iterator[object]:
        yield Sleep("nap")
        toy.state["freed"] = True
        yield "up"

    play = playing({"user": user, **NOISE, "timer": timer}, lates=2)
    wanted = Named((Delay("user", "unlock", 1, "late"), Delay("noise1", "p", 1, "steps 2")))
    found, twin = shortened(play, profiled(play, wanted.chooser()))
    assert [(delay.context, delay.until) for delay in found.delays] == [("user", "ended timer")]
    assert twin == NATURAL


def test_without_trials_left_nothing_is_claimed() -> None:
    play = playing({"user": user, **NOISE, "remover": remover})
    run = failing_run(play)
    assert run.violation is not None
    assert shortest(Trials(play, run.violation, 0), run) is None


@pytest.mark.parametrize("most", range(1, 40))
def test_however_few_trials_there_are_what_is_returned_fails(most: int) -> None:
    play = playing({"user": user, **NOISE, "remover": remover})
    run = failing_run(play)
    assert run.violation is not None
    trials = Trials(play, run.violation, most)
    found = shortest(trials, run)
    assert found is None or play(found.chooser()) == run.violation
    assert trials.made <= most


def test_a_run_whose_departures_do_not_fail_by_themselves_is_made_simpler_first() -> None:
    play = playing({"user": user, **NOISE, "remover": remover})
    unsaid = failing_run(play)._replace(profile=Profile(()))
    found, _ = shortened(play, unsaid)
    (delay,) = found.delays
    assert (delay.context, delay.until) == ("user", "ended remover")
