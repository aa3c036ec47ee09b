# SPDX-License-Identifier: MIT
"""Selectively uniform random walk: every order of some interesting events as likely as any other.

Zhao, Wolff, Mathur and Roychoudhury, "Selectively Uniform Concurrency Testing", ASPLOS 2025,
section 3, algorithms 1 and 2. A context is intended to do the next interesting event with a chance
proportional to how many it has left; the others walk at random and wait before their own.

Departures:
- how many events a context has is the most that a run of the baseline shows; who started it is
  whoever went on there just before it was first seen;
- the interesting events are those on one object that two contexts touch in the baseline, another
  one for each plan; every so many plans all events are (the paper's algorithm 1, URW);
- time and faults stand outside (:mod:`sim.explore.sampling`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from sim.choices import Chooser, Option
from sim.explore.lineage import parents_of, with_descendants
from sim.explore.points import touched
from sim.explore.profile import Baseline
from sim.explore.sampling import Rare, Sampler, Walker
from sim.explore.stops import Stop
from sim.explore.strategy import Plan

EVERYTHING: Final = ""  # the object that stands for all


class SurwPlan(Plan, frozen=True):
    """One walk. ``weights`` are interesting events by context, with those of whom it starts."""

    strategy: ClassVar[str] = "surw"
    seed: int
    windows: Rare
    thing: str
    weights: Mapping[str, int]
    parents: Mapping[str, str]

    def chooser(self) -> Chooser:
        return SurwChooser(self)


class SurwChooser(Walker):
    """``_blocked`` wait before their interesting event for the one who is ``_intended``."""

    def __init__(self, plan: SurwPlan) -> None:
        super().__init__(plan.seed, plan.windows)
        self._thing = plan.thing
        self._left = dict(plan.weights)
        self._parents = plan.parents
        self._seen: set[str] = set()
        self._blocked: set[Option] = set()
        self._intended: str | None = None

    def pick(self, options: Sequence[Option], runnable: int) -> int:
        for index in range(runnable):
            if options[index].name not in self._seen:
                self._welcome(options[index].name)
        blocked = self._blocked
        free = [index for index in range(runnable) if options[index] not in blocked]
        while free:
            place = self.random.below(len(free))
            option = options[free[place]]
            if not self._interesting(option):
                return free[place]
            if self._intended is None:
                self._intend([options[index].name for index in free])
            if option.name == self._intended:
                self._left[option.name] = max(0, self._left.get(option.name, 0) - 1)
                return self._unblock(free[place])
            blocked.add(option)
            del free[place]
        return self._unblock(self.random.below(runnable))

    def _unblock(self, index: int) -> int:
        """Somebody does an interesting event: those who waited may be next."""
        self._blocked.clear()
        self._intended = None
        return index

    def _interesting(self, option: Option) -> bool:
        return self._thing == EVERYTHING or touched(option.at) == self._thing

    def _intend(self, names: Sequence[str]) -> None:
        """Draw who does the next interesting event; who has none left may yet have one."""
        weights = [self._left.get(name, 0) or 1 for name in names]
        drawn = self.random.below(sum(weights))
        for name, weight in zip(names, weights, strict=True):
            drawn -= weight
            if drawn < 0:
                self._intended = name
                return

    def _welcome(self, name: str) -> None:
        """A new context takes its events from whoever started it, and maybe the intention too."""
        self._seen.add(name)
        parent = self._parents.get(name)
        if parent is None:
            return
        own, shared = self._left.get(name, 0), self._left.get(parent, 0)
        if self._intended == parent and self.random.below(max(shared, 1)) < own:
            self._intended = name
        self._left[parent] = max(0, shared - own)


class SurwStrategy(Sampler):
    """Walks over the objects that contexts share, in turn, beginning with everything."""

    name = "surw"

    def __init__(self, baseline: Baseline, seed: int) -> None:
        super().__init__(baseline, seed)
        self._parents = parents_of(baseline)
        taken = [run.taken() for run in baseline.runs]
        self._weights = {
            thing: with_descendants(_events(taken, thing), self._parents)
            for thing in (EVERYTHING, *_shared(baseline))
        }
        self._things = list(self._weights)
        self._drawn = 0

    def draw(self) -> Plan:
        thing = self._things[self._drawn % len(self._things)]
        self._drawn += 1
        return SurwPlan(
            self.random.next_u64(), self.windows, thing, self._weights[thing], self._parents
        )


def _events(taken: Sequence[Sequence[Stop]], thing: str) -> Counter[str]:
    """How often each context goes on from a point that touches the thing, at most in a run.

    ``taken`` has the stops of each run from which somebody went on.
    """
    most: Counter[str] = Counter()
    for stops in taken:
        most |= Counter(
            stop.context for stop in stops if thing in (EVERYTHING, touched(stop.point))
        )
    return most


def _shared(baseline: Baseline) -> list[str]:
    """The objects that more than one context touches, in the order of their first touch."""
    touching: defaultdict[str, set[str]] = defaultdict(set)
    for run in baseline.runs:
        for moment in run.moments:
            for stop in moment.stops:
                touching[touched(stop.point) or ""].add(stop.context)
    return [thing for thing, contexts in touching.items() if thing and len(contexts) > 1]
