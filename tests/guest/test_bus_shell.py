# SPDX-License-Identifier: MIT
"""Somebody who decides which driver a bus has, against a host that does not wait for them."""

from __future__ import annotations

from errno import EBUSY, ENODEV, ENOENT
from pathlib import Path

import pytest

from sim.choices import RandomChooser
from sim.scenario import Scenario
from sim.scenario_reader import parse_scenario
from sim.world import World, play

HERE = Path()
SEEDS = range(30)


def against(steps: str, commands: str) -> Scenario:
    """Two buses; the host's actor does ``steps``, a user gives ``commands`` as soon as may be."""
    text = f"""
name = "unload-race"
story = "The driver comes and goes while the host acts."
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
  {commands}
]
[expect]
known = ["O9", "O23"]
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


COMMANDS = {
    "unloads the driver": '{ do = "unload" },',
    "unloads the driver and loads it again": '{ do = "unload" }, { do = "load" },',
    "rebinds the first": """
  { do = "unbind-bus", device = "first" },
  { do = "bind-bus", device = "first" },""",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("act", ACTS)
def test_in_any_order_a_user(command: str, act: str) -> None:
    """… does one of the commands while the host does one of the acts."""
    scenario = against(ACTS[act], COMMANDS[command])
    ends = {
        seed: (verdict.verdict, verdict.violation)
        for seed in SEEDS
        if (verdict := World(scenario, chooser=RandomChooser(seed)).run()).violation is not None
    }
    assert ends == {}


def errors_of(commands: str) -> list[tuple[str, int]]:
    """What the kernel refuses of these commands, given one after the other."""
    result = play(against("", commands))
    assert result.violation is None
    return [(error.function, error.errno) for error in result.errors]


OVERRIDDEN = """
  { do = "driver-override", device = "first", driver = "uio_hv_generic" },
  { do = "unload" }, { do = "load" }, { do = "unbind-bus", device = "first" }"""


@pytest.mark.parametrize(
    ("commands", "errors"),
    [
        ('{ do = "load" }', []),  # as modprobe has it
        ('{ do = "unload" }, { do = "unload" }', [("rmmod", -ENOENT)]),
        ('{ do = "bind-bus", device = "first" }', [("bind", -EBUSY)]),
        ('{ do = "unload" }, { do = "bind-bus", device = "first" }', [("bind", -ENOENT)]),
        (OVERRIDDEN, [("unbind", -ENODEV)]),
    ],
)
def test_what_the_kernel_refuses_is_told(commands: str, errors: list[tuple[str, int]]) -> None:
    assert errors_of(commands) == errors


def test_a_bus_that_is_not_there_has_no_files() -> None:
    text = """
name = "early"
story = "Somebody is ahead of the host."
[[device]]
name = "first"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [{ after_ns = 1_000_000 }, { do = "offer", device = "first" }]
[[actor]]
name = "user"
steps = [
  { after_ns = 500_000 },
  { do = "driver-override", device = "first", driver = "uio_hv_generic" },
  { do = "bind-bus", device = "first" },
  { do = "unload" },
  { do = "bind-bus", device = "first" },
]
"""
    result = play(parse_scenario(text, source="early.toml", folder=HERE))
    told = [(error.function, error.errno) for error in result.errors]
    assert told == [("driver_override", -ENOENT), ("bind", -ENODEV), ("bind", -ENOENT)]
