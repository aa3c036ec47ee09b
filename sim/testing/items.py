# SPDX-License-Identifier: MIT
"""What the plugin keeps with pytest's items and configuration, and what marker and options say.

Imported by the plugin, so it imports no laboratory before a test asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from sim.testing.refused import Refused

if TYPE_CHECKING:
    from sim.testing.fixture import Bench
    from sim.testing.schedule import BodySchedule
    from sim.testing.wanted import Wanted

MARKER: Final = "vpci"
BENCH: Final[pytest.StashKey[Bench]] = pytest.StashKey()  # of an item with the fixture
TOLD: Final[pytest.StashKey[list[str]]] = pytest.StashKey()  # of an item: in which order it failed
# Of the config: the schedule to play, and lines for the end of all that is printed.
REPLAY: Final[pytest.StashKey[BodySchedule]] = pytest.StashKey()
ENDING: Final[pytest.StashKey[list[str]]] = pytest.StashKey()


def tries_orders(item: pytest.Item) -> bool:
    """Whether the body of this test is run in other orders than the natural one."""
    return item.get_closest_marker(MARKER) is not None or REPLAY in item.config.stash


def wanted_of(item: pytest.Item) -> Wanted | None:
    """What is asked for of a test with the marker, the options' numbers instead of its own."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return None
    from sim.testing.wanted import read_marker

    options = {name: item.config.getoption(f"vpci_{name}") for name in ("schedules", "seed")}
    given = {name: value for name, value in options.items() if value is not None}
    with one_line():
        return read_marker(item.nodeid, marker.args, {**marker.kwargs, **given})


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what is refused into a failure in one line."""
    __tracebackhide__ = True
    try:
        yield
    except Refused as error:
        refuse(str(error))


def refuse(line: str) -> NoReturn:
    """Fail the test, or the collection, in one line."""
    __tracebackhide__ = True
    raise pytest.fail.Exception(line, pytrace=False) from None
