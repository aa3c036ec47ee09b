# SPDX-License-Identifier: MIT
"""The pytest plugin: the fixture ``vpci``, the marker of that name, and the options ``--vpci-…``.

It is loaded into every run of pytest on a machine that has the laboratory, so it imports no more
than pytest until a test asks for something. It decides nothing: ``sim/testing`` does. Its entry
point has the name of this module, so that whoever names the plugin gets it once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from sim.testing.items import (
    BENCH,
    ENDING,
    REPLAY,
    TOLD,
    one_line,
    refuse,
    tries_orders,
    wanted_of,
)

if TYPE_CHECKING:
    from sim.testing.fixture import Vpci

_HELP: Final = (
    "vpci(schedules=500, versions=[], strategy='portfolio', seed=0, jobs=1): run the test's body in"
    " so many orders of events, as a test for each protocol version"
)


# --- options, marker, fixture ---


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vpcisim", "orders of events (vpcisim)")
    group.addoption(
        "--vpci-schedules",
        type=int,
        metavar="N",
        help="Try at most so many orders of each test, whatever its marker says.",
    )
    group.addoption(
        "--vpci-seed", type=int, metavar="N", help="Draw orders from this seed, likewise."
    )
    group.addoption(
        "--vpci-replay",
        metavar="FILE",
        help="Play the order in this file again, in the one test that it belongs to.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _HELP)
    config.stash[ENDING] = []
    if config.getoption("vpci_replay") is not None:
        _prepare_replay(config)


@pytest.fixture
def vpci(request: pytest.FixtureRequest) -> Vpci:
    """Runs worlds of a guest driver and a Hyper-V host; see docs/pytest.md of vpcisim."""
    from sim.testing.fixture import Attempt, Bench, Vpci

    natural = None if tries_orders(request.node) else Attempt(stacks=True)
    bench = Bench(request.path.parent, getattr(request, "param", None), natural)
    request.node.stash[BENCH] = bench
    return Vpci(bench)


# --- collection ---


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each version that the marker names. Fails in one line for a wrong marker."""
    wanted = wanted_of(metafunc.definition)
    if wanted is None:
        return
    if "vpci" not in metafunc.fixturenames:
        test = metafunc.definition.nodeid
        refuse(f"{test}: has the marker vpci and not the fixture; take vpci as an argument")
    if wanted.versions:
        metafunc.parametrize("vpci", wanted.versions, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --vpci-replay, only the test whose schedule it is."""
    schedule = config.stash.get(REPLAY, None)
    if schedule is None:
        return
    chosen = [item for item in items if item.nodeid == schedule.test]
    if not chosen:
        file = config.getoption("vpci_replay")
        raise pytest.UsageError(
            f"--vpci-replay {file}: belongs to {schedule.test}, which is not among the tests of"
            " this command; name that test"
        )
    others = [item for item in items if item not in chosen]
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


# --- running ---


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Put what tries orders in the place of the test's body."""
    if not isinstance(item, pytest.Function) or BENCH not in item.stash:
        return (yield)
    body = item.obj
    if inspect.iscoroutinefunction(body) or inspect.isgeneratorfunction(body):
        refuse(f"{item.nodeid}: the body of a test that takes vpci is a plain function")
    item.obj = _instead_of(body, item)
    try:
        return (yield)
    finally:
        item.obj = body


def _instead_of(body: Any, item: pytest.Function) -> Any:
    """What is called instead of the body, with the same fixtures."""

    @functools.wraps(body)
    def instead(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        from sim.testing.trying import tried

        with one_line():
            tried(item, functools.partial(body, *args, **kwargs))

    return instead


# --- reports ---


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say below the failure in which order it came."""
    report = yield
    lines = item.stash.get(TOLD, None)
    add_section = getattr(report.longrepr, "addsection", None)  # of a traceback, not of one line
    if lines and report.when == "call" and add_section is not None:
        add_section("vpcisim", "\n".join(lines))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What no report of a test says."""
    lines = terminalreporter.config.stash[ENDING]
    if lines:
        terminalreporter.section("vpcisim")
        terminalreporter.write("".join(f"{line}\n" for line in lines))


def _prepare_replay(config: pytest.Config) -> None:
    """Read the schedule. One order of one test needs no other processes."""
    from sim.schedule import ScheduleError
    from sim.testing.schedule import read_body_schedule

    path = config.invocation_params.dir / Path(config.getoption("vpci_replay"))
    try:
        config.stash[REPLAY] = read_body_schedule(path)
    except ScheduleError as error:
        raise pytest.UsageError(f"--vpci-replay {error}") from None
    if config.pluginmanager.hasplugin("xdist"):
        config.option.dist, config.option.tx = "no", []
