# SPDX-License-Identifier: MIT
"""A bus's works are done before its teardown begins; what the teardown itself does is no work."""

from __future__ import annotations

import pytest

from guest.events import (
    ChildAdded,
    ChildRemoved,
    EjectCompleted,
    RelationsProcessed,
    RootBusRemovalBegan,
)
from host.events import ChannelOffered, ChannelOpened
from protocol.ids import RelId
from sim.oracles.laws.work_before_teardown import WorkBeforeTeardown
from tests.sim.oracles.laws.tale import BUS, RELID, SLOT, broken, holds

BEGAN = RootBusRemovalBegan(RELID)
WORKS = (
    RelationsProcessed(RELID, 0),
    ChildAdded(RELID, SLOT, 0, 0, 0),
    EjectCompleted(RELID, SLOT, 0),
    ChildRemoved(RELID, SLOT, 0, "eject"),
    ChildRemoved(RELID, SLOT, 0, "relations"),
)


@pytest.mark.parametrize("work", WORKS, ids=lambda event: type(event).__name__)
def test_works_are_done_before_the_teardown_and_not_after(work: object) -> None:
    assert holds(WorkBeforeTeardown, work, BEGAN)
    assert broken(WorkBeforeTeardown, BEGAN, work).kind == "warning"


def test_the_teardown_removes_the_functions_itself() -> None:
    assert holds(WorkBeforeTeardown, BEGAN, ChildRemoved(RELID, SLOT, 0, "bus-exit"))


@pytest.mark.parametrize("begin", [ChannelOffered(BUS, RELID), ChannelOpened(BUS, RELID)])
def test_the_next_life_of_the_bus_has_works_again(begin: object) -> None:
    assert holds(WorkBeforeTeardown, BEGAN, begin, *WORKS)


def test_other_buses_go_on_working() -> None:
    assert holds(WorkBeforeTeardown, BEGAN, RelationsProcessed(RelId(2), 1))
