# SPDX-License-Identifier: MIT
"""SURW makes the orders of the interesting events even, however long the contexts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from sim.choices import RandomChooser
from sim.explore.profile import baseline_of
from sim.explore.surw import EVERYTHING, SurwPlan, SurwStrategy
from tests.sim.explore.toys import Body, Toy, points

RUNS = 3500
ONE_AND_SIX: Mapping[str, Body] = {"a": points(), "b": points(*"pqrst")}


def orders(bodies: Mapping[str, Body], thing: str) -> Counter[str]:
    """How often each order of contexts came up, of those at the thing's points."""
    baseline = baseline_of(lambda chooser: Toy(bodies, chooser).run())
    strategy = SurwStrategy(baseline, 5)
    found: Counter[str] = Counter()
    while found.total() < RUNS:
        plan = next(p for p in strategy.plans(1) if isinstance(p, SurwPlan))
        if plan.thing == thing:
            toy = Toy(bodies, plan.chooser())
            toy.run()
            found["".join(line[0] for line in toy.log if line.endswith(thing))] += 1
    return found


def test_every_order_is_as_likely_as_any_other() -> None:
    found = orders(ONE_AND_SIX, EVERYTHING)
    assert len(found) == 7
    assert all(400 < count < 600 for count in found.values())


def test_a_plain_random_walk_prefers_some_orders() -> None:
    """The same toy by the measure above: what the weights are for."""
    found: Counter[str] = Counter()
    for seed in range(RUNS):
        toy = Toy(ONE_AND_SIX, RandomChooser(seed))
        toy.run()
        found["".join(line[0] for line in toy.log)] += 1
    assert max(found.values()) > 1500


def test_orders_of_the_interesting_events_are_even_whatever_else_happens() -> None:
    bodies = {
        "a": points("lock x", "p", "lock y", "p", "p", "lock x"),
        "b": points("lock x", "lock y"),
    }
    found = orders(bodies, "x")
    assert set(found) == {"aab", "aba", "baa"}
    assert all(900 < count < 1450 for count in found.values())


def test_who_is_started_late_has_a_share_of_whoever_started_it() -> None:
    def a(toy: Toy) -> Iterator[object]:
        yield "p"
        toy.start("child", points("q", "q", "q"))
        yield "p"

    found = orders({"a": a, "b": points("r")}, EVERYTHING)
    early = sum(count for order, count in found.items() if order.startswith("bb"))
    assert early < RUNS / 10  # were the child's four events not counted, it would be a fifth


def test_only_things_that_two_contexts_touch_are_interesting() -> None:
    bodies = {"a": points("lock x", "lock y", "kfree"), "b": points("unlock x", "kfree")}
    baseline = baseline_of(lambda chooser: Toy(bodies, chooser).run())
    plans = SurwStrategy(baseline, 1).plans(6)
    assert {plan.thing for plan in plans if isinstance(plan, SurwPlan)} == {EVERYTHING, "x"}
