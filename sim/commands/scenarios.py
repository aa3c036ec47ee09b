# SPDX-License-Identifier: MIT
"""``vpcisim scenarios``: the built-in scenarios, or the grammar of scenario files."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import Annotated, Any, Final

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, print_json
from sim.scenario import Scenario
from sim.scenario_grammar import grammar_lines
from sim.scenario_reader import built_in_names, load_scenario

SCREEN_COLUMNS: Final = 100


def application() -> typer.Typer:
    return calling.application(list_scenarios)


def list_scenarios(
    as_json: AsJson = False,
    grammar: Annotated[
        bool, typer.Option("--grammar", help="Print every key and step a scenario may have.")
    ] = False,
) -> None:
    """List the built-in scenarios.

    Example: vpcisim scenarios --json
    """
    if grammar:
        _print_grammar(as_json)
        return
    scenarios = [load_scenario(name) for name in built_in_names()]
    if as_json:
        print_json([_as_dict(scenario) for scenario in scenarios])
        return
    width = max(len(scenario.name) for scenario in scenarios)
    for scenario in scenarios:
        story = textwrap.wrap(" ".join(scenario.story.split()), SCREEN_COLUMNS - width - 2)
        for name, line in zip_longest((scenario.name,), story, fillvalue=""):
            print(f"{name:<{width}}  {line}")


def _print_grammar(as_json: bool) -> None:
    lines = list(grammar_lines())
    if as_json:
        print_json(lines)
    else:
        print("\n".join(lines))


def _as_dict(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "story": " ".join(scenario.story.split()),
        "actors": [actor.name for actor in scenario.actors],
        "devices": [device.name for device in scenario.devices],
        "protocols": [v for v in scenario.guest.protocol if v in scenario.needs.protocol],
        "profiles": list(scenario.needs.profile),
        "drivers": list(scenario.drivers),
    }
