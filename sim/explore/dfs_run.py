# SPDX-License-Identifier: MIT
"""One run of the search of all orders: what is played, what may sleep, what branches off from it.

A step sleeps where it was taken: behind steps that are independent of it, it need not be played
again (:mod:`sim.explore.dfs` has the papers, and searches). Knows one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

import msgspec

from sim.choices import Chooser, DecisionChooser, Option
from sim.explore.independence import Step, independent, may_sleep, step_of
from sim.explore.strategy import Plan

DEPTH_MAX: Final = 5000  # choices of a run that are branched at; a scenario of one device has 500
WIDTH_MAX: Final = 255  # options of a choice that are looked at, so that they fit bytes


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

    @property
    def beyond(self) -> bool:
        """Whether the run was longer or wider than is looked at."""
        return len(self.decisions) == DEPTH_MAX or WIDTH_MAX in self.widths

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
