# SPDX-License-Identifier: MIT
"""Every strategy by the name that the command line has for it. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from sim.explore.delay import DelayStrategy
from sim.explore.dfs import DfsStrategy
from sim.explore.pct import PctStrategy
from sim.explore.portfolio import Portfolio
from sim.explore.pos import PosStrategy
from sim.explore.profile import Baseline
from sim.explore.random import RandomStrategy
from sim.explore.starve import StarveStrategy
from sim.explore.strategy import Strategy
from sim.explore.surw import SurwStrategy

# Made of what natural order shows, and of a seed.
Make: TypeAlias = Callable[[Baseline, int], Strategy]

STRATEGIES: Final[Mapping[str, Make]] = {
    "portfolio": Portfolio,
    "random": RandomStrategy,
    "pct": PctStrategy,
    "pos": PosStrategy,
    "surw": SurwStrategy,
    "delay": DelayStrategy,
    "dfs": DfsStrategy,
    "starve": StarveStrategy,
}
