# SPDX-License-Identifier: MIT
"""What ``explore`` is asked for, as values. Knows no engine and checks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sim.commands.driver_choice import DriverChoice


class Wanted(NamedTuple):
    """What is to be played, besides the scenario: as the options of these names."""

    driver: DriverChoice
    protocol: str | None = None
    profile: str | None = None
    device: Path | None = None
    defects: Sequence[str] = ()
    faults: Sequence[str] = ()
    laws: Sequence[Path] = ()
    fine: bool = False


class Asked(NamedTuple):
    """What is asked of a campaign and of what it finds."""

    strategy: str
    schedules: int
    seed: int
    jobs: int
    save: Path
    explain: bool
