# SPDX-License-Identifier: MIT
"""What the whole suite costs in one process: our host in each profile, the reference guest.

Wall-clock results only, in timeouts of bare simpy that were measured in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from host.profiles import PROFILES
from sim.bench.unit import simpy_timeouts_per_s
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import hosts_of
from sim.conformance.suite import plan, run_guest_cases_together, run_host_cases


def measure() -> list[dict[str, Any]]:
    """A row for each peer: how many runs, what they came to, and what they cost together."""
    timeouts_per_s = simpy_timeouts_per_s()
    rows = [_row(f"our host, profile {name}", _host_runs(name)) for name in PROFILES]
    rows.append(_row("the reference guest", _guest_runs()))
    for row in rows:
        row["timeouts"] = row["seconds"] * timeouts_per_s
        row["simpy_timeouts_per_s"] = timeouts_per_s
    return rows


def _row(peer: str, runs: Iterator[Outcome]) -> dict[str, Any]:
    begin = perf_counter()
    results = [outcome.result for outcome in runs]
    seconds = perf_counter() - begin
    failed = results.count("failed")
    return {"peer": peer, "runs": len(results), "failed": failed, "seconds": seconds}


def _host_runs(profile: str) -> Iterator[Outcome]:
    target = Target("host", profile, profile, BINDING[profile])
    return run_host_cases(plan(HOST_CASES), target, hosts_of(profile))


def _guest_runs() -> Iterator[Outcome]:
    target = Target("guest", "model", "hyperv", BINDING["guest"])
    return run_guest_cases_together(tuple(plan(GUEST_CASES)), target, None)
