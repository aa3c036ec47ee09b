# SPDX-License-Identifier: MIT
"""Every order, those that depart least often from natural order first, but for equivalent ones.

Depth-first search without stored states (Godefroid, "Model Checking for Programming Languages
using VeriSoft", POPL 1997), with sleep sets (the same, LNCS 1032, 1996, chapter 5): what was played
at a moment already need not be played again behind a step that is independent of it. The search is
bounded by how often a schedule departs from the first option, and the bound is raised when it is
exhausted. Lateness and faults are options like the others.

Departures: a step is known to be independent once it was seen (:mod:`sim.explore.independence`),
so of several alternatives of one moment only the one that was played first goes to sleep; under a
bound, an order may be left out whose equivalent departs more often (Coons, Musuvathi and McKinley,
"Bounded Partial-Order Reduction", OOPSLA 2013), and is played when the bound has been raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import ClassVar, Final

import msgspec

from sim.choices import Chooser, DecisionChooser, Option
from sim.explore.independence import Step, independent, may_sleep, step_of
from sim.explore.profile import Baseline
from sim.explore.strategy import LOST, Exhausted, Plan, RunReport

DEPTH_MAX: Final = 5000  # choices of a run that are branched at; a scenario of one device has 500
WIDTH_MAX: Final = 255  # options of a choice that are looked at, so that they fit bytes
BUT_FOR: Final = ", but for steps under different locks that change places"


class DfsPlan(Plan, frozen=True):
    """These decisions, then the first option that is not asleep, always.

    ``asleep`` need not be played at the last of the decisions.
    """

    strategy: ClassVar[str] = "dfs"
    decisions: bytes
    asleep: tuple[Step, ...] = ()

    @property
    def drawn(self) -> bool:
        """Never: each order has its turn."""
        return False

    def chooser(self) -> Chooser:
        return DfsChooser(self)


class Fork(msgspec.Struct, frozen=True):
    """What is asleep at a choice for whoever goes another way than the run did."""

    asleep: tuple[Step, ...]
    skipped: tuple[int, ...]  # the options that are asleep


NO_FORK: Final = Fork((), ())


class Trunk(Plan, frozen=True):
    """A run just played, from whose choices others branch off: those from ``first`` on.

    ``widths`` has the number of options of each of these, ``forks`` what is asleep, where something
    is.
    """

    strategy: ClassVar[str] = "dfs"
    decisions: bytes
    first: int
    widths: bytes
    forks: dict[int, Fork]

    def chooser(self) -> Chooser:
        return DecisionChooser(self.decisions)

    def branches(self) -> Iterator[DfsPlan]:
        """What departs from the run once, at the latest choices first."""
        for place in reversed(range(len(self.widths))):
            depth = self.first + place
            fork = self.forks.get(place, NO_FORK)
            for index in range(self.widths[place]):
                if index != self.decisions[depth] and index not in fork.skipped:
                    yield DfsPlan(self.decisions[:depth] + bytes([index]), fork.asleep)


class DfsChooser:
    """Plays a plan, and tells what branches off behind it.

    ``_asleep`` are the steps that need not be taken before one that depends on them; ``_step`` is
    the last one taken, whose end shows at the next choice.
    """

    def __init__(self, plan: DfsPlan) -> None:
        self._plan = plan.decisions
        self._made = 0
        self._asleep = plan.asleep
        self._step: Step | None = None
        self._decisions = bytearray(plan.decisions)
        self._widths = bytearray()
        self._forks: dict[int, Fork] = {}
        self.redundant = False  # everybody sleeps: what follows is played elsewhere

    def choose(self, options: Sequence[Option]) -> int:
        made = self._made
        self._made += 1
        if made < len(self._plan):
            index = self._plan[made]
            if made == len(self._plan) - 1:
                self._step = step_of(options[index])
            return index
        if self.redundant or made >= DEPTH_MAX:
            return 0
        self._settle(options)
        return self._branch(options)

    def branches(self) -> tuple[Plan, ...]:
        """The run as a trunk."""
        trunk = Trunk(
            bytes(self._decisions), len(self._plan), bytes(self._widths), dict(self._forks)
        )
        return (trunk,)

    def _settle(self, options: Sequence[Option]) -> None:
        """The last step is over: what depends on it wakes, and it may sleep where it was taken."""
        step = self._step
        if step is None:
            return
        stops = {option.name: option for option in options}
        moved = stops.get(step.context)
        if moved is not None and moved.stop != step.stop:
            step = step._replace(after=moved.at)
        if self._widths:
            self._put_to_sleep(step)
        self._asleep = tuple(
            sleeper
            for sleeper in self._asleep
            if independent(sleeper, step)
            and (same := stops.get(sleeper.context)) is not None
            and same.stop == sleeper.stop
        )

    def _put_to_sleep(self, step: Step) -> None:
        """Whoever branches off at the last choice need not take this step first."""
        place = len(self._widths) - 1
        fork = self._forks.get(place, NO_FORK)
        if may_sleep(step):
            self._forks[place] = Fork((*fork.asleep, step), fork.skipped)

    def _branch(self, options: Sequence[Option]) -> int:
        """Note what could be chosen, and choose the first that is not asleep."""
        width = min(len(options), WIDTH_MAX)
        skipped: tuple[int, ...] = ()
        if self._asleep:
            sleeping = {(sleeper.context, sleeper.stop) for sleeper in self._asleep}
            skipped = tuple(
                index
                for index in range(width)
                if (options[index].name, options[index].stop) in sleeping
            )
            if len(skipped) == width:
                self.redundant = True
                return 0
            self._forks[len(self._widths)] = Fork(self._asleep, skipped)
        index = next(index for index in range(width) if index not in skipped)
        self._step = step_of(options[index])
        self._widths.append(width)
        self._decisions.append(index)
        return index


class DfsStrategy:
    """Runs by rising number of departures from what comes first."""

    name = "dfs"

    def __init__(self, baseline: Baseline, seed: int) -> None:  # noqa: ARG002 - the port has them
        self._plans: Iterator[DfsPlan] = iter([DfsPlan(b"")])
        self._trunks: list[Trunk] = []  # from which the runs of the next bound branch off
        self._bound = 0  # departures of the runs that are being played
        self._finished = False
        self._played = 0
        self._incomplete = False  # a run was lost, or longer or wider than is looked at
        self._exhausted: tuple[Exhausted, ...] = ()

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """The highest bound of which all was played."""
        return self._exhausted

    def plans(self, most: int) -> list[Plan]:
        """More of this bound; of the next one once all of this has been learnt."""
        batch: list[Plan] = list(islice(self._plans, most))
        if not batch and not self._finished:
            self._finish_bound()
            batch = list(islice(self._plans, most))
        return batch

    def learn(self, plan: Plan, report: RunReport) -> None:  # noqa: ARG002 - the port has it
        """Keep what branches off for the next bound."""
        self._played += 1
        self._incomplete |= report.verdict == LOST
        for trunk in report.branches:
            assert isinstance(trunk, Trunk), "a run tells its trunk"
            self._incomplete |= len(trunk.decisions) == DEPTH_MAX or WIDTH_MAX in trunk.widths
            if next(trunk.branches(), None) is not None:
                self._trunks.append(trunk)

    def _finish_bound(self) -> None:
        """All of this bound was played: go on with what branches off from it."""
        self._finished = not self._trunks
        if not self._incomplete:
            most = "any number of" if self._finished else f"at most {self._bound}"
            bound = f"{most} departures{BUT_FOR}"
            self._exhausted = (Exhausted(bound, self._played, self._finished),)
        self._bound += 1
        trunks, self._trunks = self._trunks, []
        self._plans = chain.from_iterable(trunk.branches() for trunk in trunks)
