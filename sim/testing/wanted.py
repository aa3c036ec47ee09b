# SPDX-License-Identifier: MIT
"""What the marker ``vpci`` asks for, read and checked. Imports no laboratory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sim.explore.limits import JOBS_MAX, SCHEDULES_MAX, SEED_MAX
from sim.explore.strategies import STRATEGIES
from sim.scenario import ScenarioError
from sim.scenario_grammar import PROTOCOLS, Key
from sim.scenario_kinds import many, number, one_of
from sim.scenario_tables import TableReader
from sim.testing.refused import Refused

# If none of so many fails, with 95 % confidence fewer than 0.6 % of such orders do; and a test of
# one device takes some seconds.
SCHEDULES: Final = 500

_KEYS: Final = (
    Key("schedules", number(1, SCHEDULES_MAX), SCHEDULES, "how many orders at most"),
    Key("versions", many(one_of(PROTOCOLS), least=1), (), "a test for each; none: one test"),
    Key("strategy", one_of(STRATEGIES), "portfolio", "how orders are chosen"),
    Key("seed", number(0, SEED_MAX), 0, "what choices are drawn from"),
    Key("jobs", number(1, JOBS_MAX), 1, "processes"),
)


class Wanted(NamedTuple):
    """How a test is explored. ``versions`` are parameters of the test; none: one test."""

    schedules: int
    versions: tuple[str, ...]
    strategy: str
    seed: int
    jobs: int


def read_marker(test: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Wanted:
    """The marker's arguments; ``test`` is what errors call it. Raises Refused."""
    if arguments:
        raise Refused(f"{test}: the marker vpci takes keywords only, such as schedules=500")
    raw = {key: list(value) if type(value) is tuple else value for key, value in named.items()}
    try:
        read = TableReader(test).table(raw, "vpci", _KEYS)
    except ScenarioError as error:
        raise Refused(str(error)) from None
    return Wanted(**read)
