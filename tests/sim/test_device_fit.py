# SPDX-License-Identifier: MIT
"""Which scenarios a device can play, and what it lacks for the others."""

import pytest

from host.devices import PROFILES
from sim.device_fit import what_it_lacks
from sim.scenario_reader import built_in_names, load_scenario


@pytest.mark.parametrize("name", built_in_names())
def test_the_devices_of_the_built_in_scenarios_lack_nothing(name: str) -> None:
    scenario = load_scenario(name)
    kinds = {device.profile for device in scenario.devices}
    assert [what_it_lacks(scenario, PROFILES[kind]) for kind in kinds if kind] == [None] * len(
        kinds
    )


@pytest.mark.parametrize(
    ("scenario", "device", "lack"),
    [
        ("config-blocks", "gpu", "it has no configuration block 0, which actor[0].steps[1] asks"),
        ("multi-msi", "no-bars", "it has 1 interrupt vector and no vector 3, which actor[0]"),
    ],
)
def test_what_a_device_lacks_is_told_with_the_step_that_asks_for_it(
    scenario: str, device: str, lack: str
) -> None:
    assert (what_it_lacks(load_scenario(scenario), PROFILES[device]) or "").startswith(lack)
