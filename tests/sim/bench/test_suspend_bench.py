# SPDX-License-Identifier: MIT
"""The benchmark of hibernation counts one device's part of it, and work does not grow with them."""

from __future__ import annotations

import pytest

from guest.events import MachinePoweredOn
from sim.bench import suspend
from sim.world import World, play


@pytest.fixture(autouse=True)
def _few_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspend, "CYCLES_OF_DEVICES", 2)
    monkeypatch.setattr(suspend, "ROUNDS", 1)
    monkeypatch.setattr(suspend, "simpy_timeouts_per_s", lambda: 1.0)


def test_the_document_has_the_keys_that_programs_read() -> None:
    document = suspend.measure((1, 2))
    assert document["cycle"] == "suspend"
    assert set(document) >= {
        "lifecycles_per_s",
        "timeouts_per_lifecycle",
        "messages",
        "config_accesses",
        "by_devices",
    }
    assert [row["devices"] for row in document["by_devices"]] == [1, 2]
    assert document["messages"] > 20
    assert document["config_accesses"] > 20
    assert all(row["bytes_per_device"] > 0 for row in document["by_devices"])


def test_a_cycle_is_a_suspend_and_a_resume_of_every_device() -> None:
    result = play(suspend.hibernating(3, 2, 0))
    assert result.verdict == "clean"
    assert [s.event for s in result.trace].count(MachinePoweredOn()) == 2
    assert len(result.final.devices) == 3


def test_steps_and_events_of_a_device_do_not_grow_with_their_number() -> None:
    """What the clock cannot say on a busy machine: the work of a cycle is the same for each."""
    few, many = (_work(devices) for devices in (10, 100))
    for of_few, of_many in zip(few, many, strict=True):
        assert of_many <= of_few


def _work(devices: int) -> tuple[float, float]:
    """Steps and events of one device's cycle."""
    counts = []
    for cycles in (0, 1):
        world = World(suspend.hibernating(devices, cycles, 0))
        assert world.run().verdict == "clean"
        counts.append((world.engine.steps, len(world.trace())))
    (still_steps, still_events), (steps, events) = counts
    return (steps - still_steps) / devices, (events - still_events) / devices
