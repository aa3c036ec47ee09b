# SPDX-License-Identifier: MIT
"""Packets that a driver and a host really exchange: taken from runs of built-in scenarios.

Each run is the same every time, and so is what is taken from it. Knows no packet's meaning.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from protocol.link import PacketPublished
from sim.scenario import why_unplayable
from sim.scenario_grammar import PROTOCOLS
from sim.scenario_options import with_options
from sim.scenario_reader import load_scenario
from sim.world import World

# Between them they have every message: interrupts of both kinds, blocks, power, an eject, a list.
SCENARIOS: Final = ("arrival", "config-blocks", "eject-in-use", "multi-msi", "relations-grow")
PROFILE: Final = "hyperv"


@lru_cache(maxsize=2)
def recorded(direction: str) -> tuple[bytes, ...]:
    """Every different payload of a ring that went in that direction, at any version."""
    found: dict[bytes, None] = {}
    for name in SCENARIOS:
        for protocol in PROTOCOLS:
            found |= dict.fromkeys(_of(name, protocol, direction))
    return tuple(found)


def _of(name: str, protocol: str, direction: str) -> tuple[bytes, ...]:
    scenario = load_scenario(name)
    if why_unplayable(scenario, protocol=protocol, profile=PROFILE, driver="model"):
        return ()
    world = World(with_options(scenario, protocol=protocol, profile=PROFILE, device=None))
    world.run()
    events = (stamped.event for stamped in world.trace())
    return tuple(
        event.payload
        for event in events
        if isinstance(event, PacketPublished) and event.direction == direction
    )
