# SPDX-License-Identifier: MIT
"""A toy in place of engine and guest: contexts are generators that yield the points they stop at.

It offers options as the engine does: the current context first, then the longest runnable, then
that time passes, and asks only where there is more than one. Time, if any may pass, wakes sleepers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sim.choices import NO_FAULT, PASSING, Chooser, Fault, Option

State = dict[str, Any]
Body = Callable[["Toy"], Iterator[object]]


class Sleep(NamedTuple):
    """Yielded: wait until time has passed."""

    point: str


class Await(NamedTuple):
    """Yielded: wait until the condition holds."""

    point: str
    condition: Callable[[], bool]


class ToyCpu:
    """Where a context runs; nothing else of it matters here."""

    def __init__(self, index: int) -> None:
        self.index = index


class Flow:
    """One context of the toy."""

    def __init__(self, name: str, steps: Iterator[object], cpu: ToyCpu) -> None:
        self.name = name
        self.at = "start"
        self.stop = 0
        self.done = False
        self.cpu = cpu
        self.steps = steps
        self.waits: Callable[[], bool] | None = None
        self.sleeps = False

    @property
    def ready(self) -> bool:
        return not self.sleeps and (self.waits is None or self.waits())


class Toy:
    """One run. ``state`` is what its contexts share, ``log`` what they did."""

    asks_from = 2  # options

    def __init__(self, bodies: Mapping[str, Body], chooser: Chooser, *, lates: int = 0) -> None:
        self.state: State = {}
        self.log: list[str] = []
        self.choices = 0
        self.steps = 0
        self.diverted: list[int] = []
        self._chooser = chooser
        self._lates = lates
        self._current: Flow | None = None
        self._ready: list[Flow] = []
        self._waiting: list[Flow] = []
        self._cpus: list[str] = []
        for name, body in bodies.items():
            self.start(name, body)

    def start(self, name: str, body: Body) -> None:
        """A new context, on a CPU of its own."""
        self._ready.append(Flow(name, body(self), ToyCpu(len(self._cpus))))
        self._cpus.append(name)

    def fails(self, name: str, at: str) -> bool:
        """Whether a fault happens here."""
        return bool(self._ask([NO_FAULT, Fault(name, at)]))

    def run(self) -> State:
        """Play to the end."""
        while (options := self._options()) or self._let_time_pass():
            if not options:
                continue
            chosen = options[self._ask(options) if len(options) >= self.asks_from else 0]
            if chosen is PASSING:
                self._lates -= 1
                self._let_time_pass()
            else:
                assert isinstance(chosen, Flow)
                self._step(chosen)
        return self.state

    def _ask(self, options: Sequence[Option]) -> int:
        self.choices += 1
        index = self._chooser.choose(options)
        assert 0 <= index < len(options)
        if index:
            self.diverted.append(self.choices)
        return index

    def _options(self) -> list[Option]:
        woken = [flow for flow in self._waiting if flow.ready]
        self._waiting = [flow for flow in self._waiting if flow not in woken]
        self._ready += woken
        options: list[Option] = [] if self._current is None else [self._current]
        options += self._ready
        if options and self._lates and any(flow.sleeps for flow in self._waiting):
            options.append(PASSING)
        return options

    def _let_time_pass(self) -> bool:
        """Wake every sleeper; whether there was one."""
        sleepers = [flow for flow in self._waiting if flow.sleeps]
        for flow in sleepers:
            flow.sleeps = False
        return bool(sleepers)

    def _step(self, flow: Flow) -> None:
        self.steps += 1
        if flow is not self._current:
            self._ready.remove(flow)
            if self._current is not None:
                self._ready.append(self._current)
        self._current = flow
        self.log.append(f"{flow.name} {flow.at}")
        try:
            point = next(flow.steps)
        except StopIteration:
            flow.done = True
            self._current = None
            return
        flow.stop = self.steps
        flow.waits = point.condition if isinstance(point, Await) else None
        flow.sleeps = isinstance(point, Sleep)
        flow.at = point.point if isinstance(point, (Await, Sleep)) else str(point)
        if not flow.ready:
            self._current = None
            self._waiting.append(flow)


class AskingToy(Toy):
    """Asks even where there is one option only."""

    asks_from = 1


def points(*names: str) -> Body:
    """A context that stops at these points and does nothing else."""
    return lambda _: iter(names)
