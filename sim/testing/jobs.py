# SPDX-License-Identifier: MIT
"""Who plays the orders of a test's body: this process, or others that run the same test.

A body is no data that could be sent, so another process collects and sets up the test as this one
did, in a session of pytest of its own, and plays plans where the body would run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from unittest import SkipTest

import pytest

from sim.explore.strategy import Plan, RunReport
from sim.testing.body import Body
from sim.testing.exploring import AtWork
from sim.testing.refused import Refused
from sim.workers import Do, at_work, workers

Serve: TypeAlias = Callable[[Do], None]

# What such a session does not do: whatever writes files, asks somebody or starts processes.
_OFF: Final[Sequence[tuple[str, object]]] = (
    *(("xmlpath", None), ("basetemp", None), ("usepdb", False), ("trace", False)),
    *(("dist", "no"), ("tx", ()), ("log_file", None), ("pastebin", None)),
)


class Session(NamedTuple):
    """A session of pytest, to be held again for one test; ``place`` is its node id from the root.

    ``arguments`` are those of its command, ``here`` is where that was given.
    """

    arguments: tuple[str, ...]
    here: Path
    place: str


def playing(body: Body, item: pytest.Function, *, jobs: int) -> AtWork:
    """What plays plans of the body, which is the item's, in so many processes."""
    if jobs == 1:
        return partial(at_work, lambda: body.report, jobs=1)
    config = item.config
    place = f"{config.rootpath}{os.sep}{item.nodeid}"
    session = Session(config.invocation_params.args, config.invocation_params.dir, place)
    return partial(workers, partial(hold, session), jobs=jobs)


def hold(session: Session, serve: Serve) -> None:
    """A worker's life: run the test, with what serves in the place of its body. Raises Refused."""
    server = Server(session, serve)
    os.chdir(session.here)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    status = pytest.main(list(session.arguments), plugins=[server])
    if not server.served:
        raise Refused(
            f"the test could not be run in another process, where pytest ended with status {status}"
            " before its body; use jobs=1"
        )


class Server:
    """A plugin of that session."""

    def __init__(self, session: Session, serve: Serve) -> None:
        self._session = session
        self._serve = serve
        self.served = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Run this test and no other, and leave no trace."""
        config.args = [self._session.place]
        for name, value in _OFF:
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        config.stash[SERVER] = self

    def serve(self, body: Body) -> None:
        """Play plans of the body until nobody sends any."""
        self.served = True
        self._serve(partial(_report, body))


SERVER: Final[pytest.StashKey[Server]] = pytest.StashKey()  # of the config of such a session


def _report(body: Body, plan: Plan) -> RunReport:
    """What came of a plan; a skip as an exception that a process can be sent."""
    try:
        return body.report(plan)
    except pytest.skip.Exception as skip:
        raise SkipTest(str(skip)) from None
