# SPDX-License-Identifier: MIT
"""The lifecycle benchmark counts what a life is made of; how long it takes is nobody's test."""

from __future__ import annotations

import pytest

from sim.bench import lifecycle
from sim.world import play


@pytest.fixture(autouse=True)
def _few_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "LIVES", 2)
    monkeypatch.setattr(lifecycle, "ROUNDS", 1)
    monkeypatch.setattr(lifecycle, "simpy_timeouts_per_s", lambda: 1.0)


def test_the_document_has_the_keys_that_programs_read() -> None:
    document = lifecycle.measure((2, 3))
    assert set(document) >= {
        "lifecycles_per_s",
        "timeouts_per_lifecycle",
        "messages",
        "config_accesses",
        "by_devices",
    }
    assert [row["devices"] for row in document["by_devices"]] == [2, 3]
    assert all(row["seconds_per_device"] > 0 for row in document["by_devices"])
    assert all(row["bytes_per_device"] > 0 for row in document["by_devices"])


def test_a_life_scans_binds_takes_eight_interrupts_and_leaves() -> None:
    scenario = lifecycle.one_life(lives=1)
    result = play(scenario)
    kinds = [type(stamped.event).__name__ for stamped in result.trace]
    assert result.verdict == "clean"
    assert kinds.count("InterruptHandled") == lifecycle.INTERRUPTS
    for happened in ("DriverBound", "EjectCompleteReceived", "Rescinded", "DriverRemoved"):
        assert kinds.count(happened) == 1
    assert result.final.devices == ()
