# SPDX-License-Identifier: MIT
"""How the number of schedules grows with devices, vCPUs and vectors.

Run with ``python -m benchmarks.growth``. Each row changes one thing of the same small world: every
device is ejected while the guest sets it up. ``choices`` are the moments of a typical random walk
at which more than one thing could happen; ``single delays`` are the schedules in which one context
is held once, until nothing else can go on or time has passed. Both are counted, not timed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sim.exploration import baseline
from sim.explore.delay import DelayStrategy
from sim.setup import Setup

SEED: Final = 0
POWERS: Final = (1, 2, 4, 8)
WORLD: Final = """
name = "growth"
story = "Every device is ejected while the guest is still setting it up."

[guest]
vcpus = {vcpus}

[[device]]
name = "nvme"
profile = "nvme-ssd"
driver = "nvme"
count = {devices}
vectors = {vectors}
"""
ACTOR: Final = """
[[actor]]
name = "administrator{number}"
steps = [
  {{ do = "offer", device = "{device}" }},
  {{ wait = "resources-assigned", device = "{device}" }},
  {{ do = "eject", device = "{device}" }},
]
"""


class World(NamedTuple):
    """What is varied; ``vectors`` are a device's."""

    devices: int = 1
    vcpus: int = 8  # an NVMe driver takes no more vectors than there are CPUs
    vectors: int = 2

    def setup(self) -> Setup:
        """The world as a setup."""
        devices = ["nvme"] if self.devices == 1 else [f"nvme{n}" for n in range(self.devices)]
        actors = (ACTOR.format(number=n, device=device) for n, device in enumerate(devices))
        return Setup(text=WORLD.format(**self._asdict()) + "".join(actors), source="growth")


class Row(NamedTuple):
    """One world and how much there is to explore in it."""

    world: World
    choices: int
    single_delays: int


def worlds() -> Iterator[World]:
    """One thing changed at a time, each up to eight."""
    for field in World._fields:
        for power in POWERS:
            yield World()._replace(**{field: power})


def measure(world: World) -> Row:
    """Count the choices of a walk and the single delays of natural order."""
    shown = baseline(world.setup())
    choices = shown.typical(lambda walk: walk.choices)
    return Row(world, choices, DelayStrategy(shown, SEED).ends_left)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| devices | vCPUs | vectors | choices | single delays |"
    yield "|--:|--:|--:|--:|--:|"
    for row in rows:
        cells = (*row.world, row.choices, row.single_delays)
        yield "| " + " | ".join(f"{cell:,}" for cell in cells) + " |"


def main() -> None:
    """Print the table."""
    print("\n".join(table([measure(world) for world in worlds()])))


if __name__ == "__main__":
    main()
