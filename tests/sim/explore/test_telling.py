# SPDX-License-Identifier: MIT
"""Of the ways in which a delay could be told, the most telling come first."""

from __future__ import annotations

from sim.explore.delays import Delay
from sim.explore.named import Named, waits_of
from sim.explore.profile import Moment
from sim.explore.telling import ENDS_MAX, ends_of, is_titled, retellings
from sim.explore.trials import profiled
from tests.sim.explore.toys import Toy, points

BODIES = {
    "user": points("lock", "unlock"),
    "first": points("p"),
    "second": points("q"),
    "isr@0": points("eoi"),
}
HELD = Delay("user", "lock", 1, "idle")


def moments_of(*delays: Delay) -> tuple[Moment, ...]:
    return profiled(
        lambda chooser: Toy(BODIES, chooser).run().get("none"), Named(delays).chooser()
    )[1].moments


def words_for(delay: Delay) -> list[str]:
    moments = moments_of(delay)
    (wait,) = (wait for wait in waits_of(moments) if wait.stop == delay.stop)
    return [end.words for end in ends_of(wait, moments)]


def test_ends_come_before_stops_and_interrupts_after_everything_else() -> None:
    words = words_for(HELD)
    kinds = [(word.partition(" ")[0], "@0" in word) for word in words]
    order = [("ended", False), ("reached", False), ("idle", False), ("ended", True)]
    assert list(dict.fromkeys(kinds)) == [*order, ("reached", True)]


def test_what_happened_last_in_the_hold_comes_first() -> None:
    assert words_for(HELD)[:2] == ["ended second", "ended first"]


def test_no_hold_ends_by_what_its_own_context_does() -> None:
    assert not [words for words in words_for(HELD) if "user" in words]


def test_to_hold_the_culprit_tells_more_than_to_let_another_overtake_it() -> None:
    overtaking = Delay("second", "start", 1, "reached user @ lock # 1")
    moments = moments_of(overtaking)
    told = retellings((overtaking,), 0, moments, "user")
    assert (told[0].context, told[0].point) == ("user", "lock")
    contexts = [delay.context for delay in told]
    assert contexts == sorted(contexts, key=lambda name: name != "user")
    assert len([name for name in contexts if name == "second"]) <= ENDS_MAX


def test_a_context_has_its_title_or_that_and_a_number_as_its_name() -> None:
    assert is_titled("hv_work/q#1", "hv_work/q#1")
    assert is_titled("hv_work/q#1#2", "hv_work/q#1")
    assert not is_titled("hv_work/q#2", "hv_work/q#1")
