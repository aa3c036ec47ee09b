# SPDX-License-Identifier: MIT
"""Every single delay and fault of natural order, then pairs: most known bugs need no more.

Emmi, Qadeer and Rakamarić, "Delay-Bounded Scheduling", POPL 2011: a deterministic scheduler, and a
bound on how often it may be made to depart from its next choice. Here the scheduler is natural
order, and a departure holds one context at one of its stops (:mod:`sim.explore.delaying`).

Departures from the paper: a delayed context goes on after a length, and then at once, where the
paper puts it behind the others; time may pass meanwhile; pairs are sampled.

One after another: every stop held until nothing else can go on; every fault that could happen;
every stop held until time has passed; then in turns shorter delays, those of lengths that double
first, and pairs of delays or faults each of which changed something.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from sim.explore.delay_plan import DelayPlan, LongestPlan, lasting
from sim.explore.delays import Delay, FaultAt
from sim.explore.profile import Baseline, Profile
from sim.explore.stops import Stop
from sim.explore.strategy import LOST, Exhausted, Plan, RunReport, dice
from sim.explore.until import late, parse_until

# The lengths that are tried first, the shortest first: every short one, since a window may be one
# step wide, then two to each doubling.
LENGTHS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# A pair that was drawn before is drawn again; so many times running, and most pairs have been.
REPEATS_MAX: Final = 64

ENDS: Final = "one fault, or one delay until nothing else can go on or time has passed"
ANY_LENGTH: Final = f"{ENDS} or of any length"


class _Row(NamedTuple):
    """Lengths of one delay, rising. There are a thousand, and few are ever played: none is made
    before its turn."""

    delay: Delay
    lengths: Iterator[int]


# Whether others come first, the length, the delay's number (so that no two are equal), the row.
_Shorter: TypeAlias = tuple[bool, int, int, _Row]


class DelayStrategy:
    """Single delays until they are exhausted, and pairs.

    ``_longest`` comes first; ``_shorter`` is a heap by what comes next.
    """

    name = "delay"

    def __init__(self, baseline: Baseline, seed: int) -> None:
        self._random = dice(self.name, seed)
        natural = baseline.natural
        self._longest: deque[Plan] = deque([DelayPlan()])
        self._longest += (LongestPlan((Delay(*stop),)) for stop in _contested(natural))
        self._longest += (DelayPlan(faults=(fault,)) for fault in _possible(natural))
        self._longest += (DelayPlan((Delay(*stop, late()),)) for stop in _may_be_late(natural))
        self._ends = self._ends_to_learn = len(self._longest)
        self._shorter: list[_Shorter] = []
        self._natural = 0  # the fingerprint of natural order
        self._telling: list[DelayPlan] = []  # the single departures that changed something
        self._drawn: set[tuple[int, ...]] = set()  # pairs of them, by their indices
        self._outstanding = 0
        self._singles = 0  # played so far
        self._lost = False

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """Single faults, and single delays of the two natural ends; in the end of every length."""
        if not self.passed or self._lost:
            return ()
        any_length = not self._shorter and not self._outstanding
        if any_length:
            return (Exhausted(ANY_LENGTH, self._singles),)
        return (Exhausted(ENDS, self._ends),)

    @property
    def passed(self) -> bool:
        """Whether every stop has been held to its ends, and every fault has happened."""
        return self._ends_to_learn == 0

    @property
    def ends_left(self) -> int:
        """How many plans of that pass have not been given out yet."""
        return len(self._longest)

    def plans(self, most: int) -> list[Plan]:
        """The longest delays as long as there are some; then shorter ones and pairs in turns."""
        batch: list[Plan] = []
        while len(batch) < most and (plan := self._next(len(batch))) is not None:
            batch.append(plan)
        self._outstanding += len(batch)
        return batch

    def learn(self, plan: Plan, report: RunReport) -> None:
        """Note what changes something, and what lengths there are."""
        self._outstanding -= 1
        self._ends_to_learn -= self._ends_to_learn > 0  # they come first
        assert isinstance(plan, DelayPlan), "a strategy learns of its own plans"
        self._lost |= report.verdict == LOST
        if plan.departures > 1:
            return
        self._singles += 1
        if not plan.departures:
            self._natural = report.fingerprint
            return
        changing = report.fingerprint != self._natural
        if changing:
            self._telling.append(plan)
        for longest in report.branches:
            self._add_shorter(longest, changing=changing)

    def _next(self, place: int) -> Plan | None:
        if self._longest:
            return self._longest.popleft()
        pair = self._pair() if place % 2 else None
        if pair is None and self._shorter:
            return self._pop()
        return pair or self._pair()

    def _add_shorter(self, longest: Plan, *, changing: bool) -> None:
        """Every length up to this; those that double first, if the longest changed something."""
        assert isinstance(longest, DelayPlan), "a delay branches into delays"
        (delay,) = longest.delays
        lengths = range(1, parse_until(delay.until).number + 1)
        soon = [length for length in LENGTHS if changing and length in lengths]
        rest = (length for length in lengths if length not in soon)
        self._push(_Row(delay, iter(soon)), self._singles, later=False)
        self._push(_Row(delay, rest), self._singles, later=True)

    def _push(self, row: _Row, number: int, *, later: bool) -> None:
        """Have the next length of a row among what comes, if there is one."""
        length = next(row.lengths, None)
        if length is not None:
            heappush(self._shorter, (later, length, number, row))

    def _pop(self) -> DelayPlan:
        later, length, number, row = heappop(self._shorter)
        self._push(row, number, later=later)
        return DelayPlan((lasting(row.delay, length),))

    def _pair(self) -> Plan | None:
        """Two single departures, each of which changed something; of different stops."""
        telling = self._telling
        for _ in range(REPEATS_MAX if telling else 0):
            places = sorted(self._random.below(len(telling)) for _ in "ab")
            one, other = (telling[place] for place in places)
            pair = DelayPlan(one.delays + other.delays, one.faults + other.faults)
            different = len({delay.stop for delay in pair.delays} | {*pair.faults}) == 2
            if different and tuple(places) not in self._drawn:
                self._drawn.add(tuple(places))
                return pair
        return None


def _contested(natural: Profile) -> list[Stop]:
    """The stops from which somebody went on although another could have."""
    moments = (m for m in natural.moments if len(m.stops) > 1 and not m.late)
    return list(dict.fromkeys(m.stops[m.taken] for m in moments))


def _may_be_late(natural: Profile) -> list[Stop]:
    """The stops from which somebody went on although time could have passed."""
    moments = (m for m in natural.moments if m.may_be_late and not m.late)
    return list(dict.fromkeys(m.stops[m.taken] for m in moments))


def _possible(natural: Profile) -> list[FaultAt]:
    """Every fault that could have happened."""
    seen: Counter[tuple[str, str]] = Counter()
    faults = []
    for fault in natural.faults:
        seen[fault] += 1
        faults.append(FaultAt(*fault, seen[fault]))
    return faults
