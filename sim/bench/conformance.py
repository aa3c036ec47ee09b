# SPDX-License-Identifier: MIT
"""What the whole suite costs in one process: our host in each profile, the reference guest.

Wall-clock results only, in timeouts of bare simpy that were measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from host.profiles import PROFILES
from sim.bench.unit import simpy_timeouts_per_s
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import hosts_of
from sim.conformance.suite import plan, run_guest_case, run_host_case


def measure() -> list[dict[str, Any]]:
    """A row for each peer: how many runs, what they came to, and what they cost together."""
    timeouts_per_s = simpy_timeouts_per_s()
    rows = [_row(f"our host, profile {name}", _host_runs(name)) for name in PROFILES]
    rows.append(_row("the reference guest", _guest_runs()))
    for row in rows:
        row["timeouts"] = row["seconds"] * timeouts_per_s
        row["simpy_timeouts_per_s"] = timeouts_per_s
    return rows


def _row(peer: str, runs: list[Callable[[], Outcome]]) -> dict[str, Any]:
    begin = perf_counter()
    outcomes = [run() for run in runs]
    seconds = perf_counter() - begin
    failed = sum(outcome.result == "failed" for outcome in outcomes)
    return {"peer": peer, "runs": len(runs), "failed": failed, "seconds": seconds}


def _host_runs(profile: str) -> list[Callable[[], Outcome]]:
    target = Target("host", profile, profile, BINDING[profile])
    make = hosts_of(profile)
    planned = plan(HOST_CASES)
    return [partial(run_host_case, case, version, target, make) for case, version in planned]


def _guest_runs() -> list[Callable[[], Outcome]]:
    target = Target("guest", "model", "hyperv", BINDING["guest"])
    planned = plan(GUEST_CASES)
    return [partial(run_guest_case, case, version, target, None) for case, version in planned]
