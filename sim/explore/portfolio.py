# SPDX-License-Identifier: MIT
"""Several strategies in turn: none dominates, and a campaign should not have to guess.

First every single delay, which is mostly few schedules and names its culprit; then all strategies
share what is left, in rounds of constant size. A quarter is theirs from the start, for where there
are many devices there are many delays. Each plan goes under the name of the strategy it is from.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

from sim.explore.delay import DelayStrategy
from sim.explore.dfs import DfsStrategy
from sim.explore.pct import PctStrategy
from sim.explore.pos import PosStrategy
from sim.explore.profile import Baseline
from sim.explore.random import RandomStrategy
from sim.explore.starve import StarveStrategy
from sim.explore.strategy import Exhausted, Plan, RunReport, Strategy
from sim.explore.surw import SurwStrategy

# Plans of each strategy in a round. Shorter delays and pairs go on where the pass ended. The search
# of all orders begins with single departures, which are delays again, so it gets little.
SHARES: Final[Mapping[Callable[[Baseline, int], Strategy], int]] = {
    PctStrategy: 4,
    PosStrategy: 4,
    SurwStrategy: 4,
    RandomStrategy: 4,
    StarveStrategy: 2,
    DfsStrategy: 2,
}
SHARE_OF_DELAYS: Final = 8
SHARED_ONE_IN: Final = 4  # of the plans while the pass over single delays goes on


class Portfolio:
    """The pass over single delays, then rounds of all. Random walks fill up what others leave."""

    name = "portfolio"

    def __init__(self, baseline: Baseline, seed: int) -> None:
        self._delays = DelayStrategy(baseline, seed)
        shares: dict[Strategy, int] = {self._delays: SHARE_OF_DELAYS}
        shares |= {make(baseline, seed): share for make, share in SHARES.items()}
        self._members = list(shares)
        self._turns = deque(_dealt(shares))
        self._filler = RandomStrategy(baseline, ~seed)
        self._authors: deque[Strategy] = deque()  # of the plans that are not learnt yet

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """Whatever any of them has exhausted."""
        return tuple(bound for member in self._members for bound in member.exhausted)

    def plans(self, most: int) -> list[Plan]:
        """Mostly single delays as long as there are some; then everybody's share."""
        singles = min(most - most // SHARED_ONE_IN, self._delays.ends_left)
        quotas: Counter[Strategy] = Counter({self._delays: singles})
        while quotas.total() < most:
            quotas[self._turns[0]] += 1
            self._turns.rotate(-1)
        batch: list[Plan] = []
        for member, quota in quotas.items():
            batch += self._asked(member, quota)
        return batch + self._asked(self._filler, most - len(batch))

    def learn(self, plan: Plan, report: RunReport) -> None:
        """Whoever made the plan learns."""
        self._authors.popleft().learn(plan, report)

    def _asked(self, member: Strategy, quota: int) -> list[Plan]:
        plans = member.plans(quota)
        self._authors += [member] * len(plans)
        return plans


def _dealt(shares: Mapping[Strategy, int]) -> list[Strategy]:
    """A round of turns in which everybody's are spread evenly."""
    turns = [
        ((turn + 0.5) / share, at)
        for at, share in enumerate(shares.values())
        for turn in range(share)
    ]
    members = list(shares)
    return [members[at] for _, at in sorted(turns)]
