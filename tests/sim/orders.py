# SPDX-License-Identifier: MIT
"""What tests of exploring share: setups to explore, and plans that need no strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sim.choices import Chooser, DecisionChooser, Option, RandomChooser
from sim.explore.strategy import Plan
from sim.setup import read_setup

IDLE = read_setup("eject-idle")
LEAKING = read_setup("eject-idle", "eject-ref-leak")  # in any order


class Drawn(Plan, frozen=True):
    """A random order."""

    strategy: ClassVar[str] = "drawn"
    seed: int

    def chooser(self) -> Chooser:
        return RandomChooser(self.seed)


class Natural(Plan, frozen=True):
    """Natural order, told by the branches it saw."""

    strategy: ClassVar[str] = "natural"

    def chooser(self) -> Chooser:
        return _Branching()


class _Branching:
    def __init__(self) -> None:
        self._moments = 0

    def choose(self, options: Sequence[Option]) -> int:
        self._moments += 1
        return DecisionChooser([]).choose(options)

    def branches(self) -> tuple[Plan, ...]:
        return (Drawn(self._moments),)
