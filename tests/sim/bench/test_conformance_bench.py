# SPDX-License-Identifier: MIT
"""The benchmark of the suite runs every case against every peer; how long it takes is no test."""

from __future__ import annotations

import pytest

from sim.bench import conformance
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES


def test_each_peer_of_ours_has_a_row_with_all_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts, guests = HOST_CASES[:2], GUEST_CASES[:1]
    monkeypatch.setattr(conformance, "HOST_CASES", hosts)
    monkeypatch.setattr(conformance, "GUEST_CASES", guests)
    monkeypatch.setattr(conformance, "simpy_timeouts_per_s", lambda: 1.0)
    rows = conformance.measure()
    host_runs = sum(len(case.versions) for case in hosts)
    assert {row["peer"]: row["runs"] for row in rows} == {
        "our host, profile hyperv": host_runs,
        "our host, profile openvmm": host_runs,
        "the reference guest": len(guests[0].versions),
    }
    assert all(row["failed"] == 0 for row in rows)
    assert all(row["timeouts"] == row["seconds"] > 0 for row in rows)
