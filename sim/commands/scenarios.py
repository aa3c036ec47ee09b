# SPDX-License-Identifier: MIT
"""``vpcisim scenarios``: the built-in scenarios, or the grammar of scenario files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Annotated, Any, Final

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, choose, print_json
from sim.scenario import Scenario, drivers_of
from sim.scenario_grammar import grammar_lines
from sim.scenario_reader import built_in_names, load_scenario
from sim.scenario_themes import THEMES, theme_of

SCREEN_COLUMNS: Final = 100


def application() -> typer.Typer:
    return calling.application(list_scenarios)


def list_scenarios(
    theme: Annotated[
        str | None, typer.Argument(help="Only those about this, such as eject or hibernation.")
    ] = None,
    as_json: AsJson = False,
    grammar: Annotated[
        bool, typer.Option("--grammar", help="Print every key and step a scenario may have.")
    ] = False,
) -> None:
    """List the built-in scenarios by theme.

    Example: vpcisim scenarios rescind
    """
    if grammar:
        _print_grammar(as_json)
        return
    wanted = THEMES if theme is None else (choose(theme, THEMES, "theme"),)
    scenarios = [load_scenario(name) for name in built_in_names() if theme_of(name) in wanted]
    if as_json:
        print_json([_as_dict(scenario) for scenario in scenarios])
        return
    width = max(len(scenario.name) for scenario in scenarios)
    told = (_told(name, scenarios, width) for name in THEMES if name in wanted)
    print("\n\n".join(told))


def _told(theme: str, scenarios: Sequence[Scenario], width: int) -> str:
    """A theme's heading, and the stories of its scenarios."""
    lines = [f"{theme}: {THEMES[theme].about}"]
    for scenario in scenarios:
        if theme_of(scenario.name) == theme:
            story = textwrap.wrap(" ".join(scenario.story.split()), SCREEN_COLUMNS - width - 4)
            pairs = zip_longest((scenario.name,), story, fillvalue="")
            lines += (f"  {name:<{width}}  {line}" for name, line in pairs)
    return "\n".join(lines)


def _print_grammar(as_json: bool) -> None:
    lines = list(grammar_lines())
    if as_json:
        print_json(lines)
    else:
        print("\n".join(lines))


def _as_dict(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "theme": theme_of(scenario.name),
        "story": " ".join(scenario.story.split()),
        "actors": [actor.name for actor in scenario.actors],
        "devices": [device.name for device in scenario.devices],
        "protocols": [v for v in scenario.guest.protocol if v in scenario.needs.protocol],
        "profiles": list(scenario.needs.profile),
        "drivers": list(drivers_of(scenario)),
    }
