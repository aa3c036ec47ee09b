# SPDX-License-Identifier: MIT
"""Which guests are fuzzed: the machines of a few built-ins, at every version. Knows no packet."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from sim.scenario import Scenario
from sim.scenario_grammar import PROTOCOLS
from sim.scenario_options import with_options
from sim.scenario_reader import load_scenario


class Setting(NamedTuple):
    """What is played: a built-in's machine, without its actors."""

    scenario: str
    version: str
    profile: str


SETTINGS: Final = tuple(
    Setting(scenario, version, profile)
    for scenario, profile in (
        ("arrival", "hyperv"),
        ("config-blocks", "hyperv"),
        ("multi-msi", "hyperv"),
        ("arrival", "openvmm"),
    )
    for version in PROTOCOLS
    if (profile, version) != ("openvmm", "1.1")
)


@lru_cache(maxsize=len(SETTINGS))
def scenario_of(setting: Setting) -> Scenario:
    """The machine that is played."""
    scenario = load_scenario(setting.scenario)
    return with_options(scenario, protocol=setting.version, profile=setting.profile, device=None)
