# SPDX-License-Identifier: MIT
"""Somebody with a shell in the guest, against a host that does not wait for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.choices import RandomChooser
from sim.scenario import Scenario
from sim.scenario_reader import parse_scenario
from sim.world import World

HERE = Path()
SEEDS = range(60)


def unload_against(steps: str) -> Scenario:
    """Two buses; one actor unloads the driver as soon as it may, another does ``steps``."""
    text = f"""
name = "unload-race"
story = "The driver is unloaded while the host acts."
[[device]]
name = "first"
profile = "nvme-ssd"
driver = "nvme"
[[device]]
name = "second"
profile = "nvme-ssd"
driver = "nvme"
[[actor]]
name = "administrator"
steps = [
  {{ do = "offer", device = "first" }},
  {{ do = "offer", device = "second" }},
  {steps}
]
[[actor]]
name = "user"
steps = [
  {{ wait = "driver-bound", device = "first" }},
  {{ do = "unload" }},
]
[expect]
known = ["O9"]
"""
    return parse_scenario(text, source="unload-race.toml", folder=HERE)


ACTS = {
    "rescinds the first device": """
  { wait = "driver-bound", device = "first" },
  { do = "rescind", device = "first" },""",
    "rescinds the second device": """
  { wait = "driver-bound", device = "first" },
  { do = "rescind", device = "second" },""",
    "rescinds both": """
  { wait = "driver-bound", device = "first" },
  { do = "rescind", device = "second" },
  { do = "rescind", device = "first" },""",
    "ejects the first": """
  { wait = "driver-bound", device = "first" },
  { do = "eject", device = "first" },""",
}


@pytest.mark.parametrize("act", ACTS)
def test_the_driver_may_be_unloaded_in_any_order_while_the_host(act: str) -> None:
    scenario = unload_against(ACTS[act])
    ends = {
        seed: (verdict.verdict, verdict.violation)
        for seed in SEEDS
        if (verdict := World(scenario, chooser=RandomChooser(seed)).run()).violation is not None
    }
    assert ends == {}
