# SPDX-License-Identifier: MIT
"""A scenario loses what its failure does not need."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sim.explore.shrink_scenario import REDUCTIONS, reduced
from sim.scenario import Do, Scenario, ScenarioError
from sim.scenario_reader import BUILT_IN, built_in_names, parse_scenario

CROWD = """
name = "crowd"
story = "Two devices and two users."
[guest]
vcpus = 8
[host]
pcpus = 4
[host.knobs]
eject_before_resources_assigned = true
[host.latency_ns]
reply = [10, 20]
[[device]]
name = "disk"
profile = "nvme-ssd"
count = 4
[[device]]
name = "nic"
profile = "nvme-ssd"
vectors = 3
[[actor]]
name = "administrator"
steps = [
  { do = "offer", device = "disk" },
  { do = "offer", device = "nic" },
  { after_ns = 5 },
  { do = "eject", device = "nic" },
]
[[actor]]
name = "user"
steps = [{ repeat = 9, steps = [{ do = "submit", device = "disk", count = 5 }, { after_ns = 1 }] }]
"""


def parsed(text: str) -> Scenario | None:
    try:
        return parse_scenario(text, source="test", folder=Path())
    except ScenarioError:
        return None


def verbs(scenario: Scenario) -> list[tuple[str, str | None]]:
    steps = [step for actor in scenario.actors for step in actor.steps]
    return [(step.verb, step.device) for step in steps if isinstance(step, Do)]


def test_what_fails_by_ejecting_one_device_keeps_that_device_and_what_it_takes() -> None:
    def fails(text: str) -> bool:
        scenario = parsed(text)
        return scenario is not None and ("eject", "nic") in verbs(scenario)

    left = parsed(reduced(CROWD, fails))
    assert left is not None
    assert verbs(left) == [("offer", "nic"), ("eject", "nic")]
    assert len(left.actors[0].steps) == 2
    assert [device.name for device in left.devices] == ["nic"]
    assert [actor.name for actor in left.actors] == ["administrator"]
    assert left.devices[0].vectors == 1
    assert left.guest.vcpus == 1
    assert not left.host.knobs
    assert not left.host.latency_ns


def test_repeats_and_counts_become_as_small_as_they_can() -> None:
    def fails(text: str) -> bool:
        scenario = parsed(text)
        return scenario is not None and len([v for v in verbs(scenario) if v[0] == "submit"]) >= 3

    left = parsed(reduced(CROWD, fails))
    assert left is not None
    assert verbs(left).count(("submit", "disk")) == 3
    assert len(left.devices) == 1


def test_the_first_of_several_devices_is_left_under_its_name_without_a_number() -> None:
    def fails(text: str) -> bool:
        scenario = parsed(text)
        return scenario is not None and any(verb == "submit" for verb, _ in verbs(scenario))

    left = parsed(
        reduced(CROWD.replace('"submit", device = "disk"', '"submit", device = "disk0"'), fails)
    )
    assert left is not None
    assert verbs(left)[-1] == ("submit", "disk")
    assert [device.name for device in left.devices] == ["disk"]


def test_a_scenario_in_which_nothing_can_go_keeps_its_very_text() -> None:
    assert reduced(CROWD, lambda _: False) is CROWD


def test_every_reduction_finds_something_to_do_and_leaves_its_input_alone() -> None:
    raw: dict[str, Any] = tomllib.loads(CROWD)
    for reduction in REDUCTIONS:
        smaller = list(reduction(raw))
        assert smaller, reduction
        assert raw not in smaller
    assert raw == tomllib.loads(CROWD)


def test_each_built_in_comes_to_an_end_even_if_everything_fails() -> None:
    for name in built_in_names():
        text = (BUILT_IN / f"{name}.toml").read_text()
        left = parsed(reduced(text, lambda smaller: parsed(smaller) is not None))
        assert left is not None
        assert len(left.devices) == 1
