# SPDX-License-Identifier: MIT
"""Many fuzzed lives, one after the other: the same seed and number give the same life anywhere.

A life that ends badly is told with the command that plays it again. Knows no target but by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from sim.fuzzing import guest_steps, host_steps
from sim.fuzzing.dice import BytesDice, Dice, seeded
from sim.fuzzing.recorded import recorded
from sim.fuzzing.telling import Broken, Trail

BYTES_A_STEP: Final = 8  # at least: which step, which packet, which change, and what of it


class Live(Protocol):
    """One life of a target. Raises Broken, or whatever the target itself falls over."""

    def __call__(self, dice: Dice, recorded: tuple[bytes, ...], steps: int) -> Trail: ...


class Target(NamedTuple):
    """Who is fuzzed, and in which direction its packets go."""

    live: Live
    direction: str
    steps: int  # of a life


TARGETS: Final[Mapping[str, Target]] = {
    "host": Target(host_steps.live, "guest-to-host", host_steps.STEPS_A_LIFE),
    "guest": Target(guest_steps.live, "host-to-guest", guest_steps.STEPS_A_LIFE),
}


class Tally(NamedTuple):
    """What a campaign has come to: lives, packets, and of what else how much."""

    lives: int
    packets: int
    counts: Mapping[str, int]


def play(target: str, seed: int, life: int) -> Trail:
    """One life. Raises Broken with the command that plays it again."""
    live, direction, steps = TARGETS[target]
    try:
        return live(seeded(seed, life), recorded(direction), steps)
    except Broken as broken:
        replay = f"python -m benchmarks.fuzz {target} --seed {seed} --life {life}"
        raise Broken(f"{broken}\nreplay: {replay}") from broken.__cause__


def play_bytes(target: str, data: bytes) -> Trail:
    """One life out of bytes, and as long as they last. Raises Broken."""
    live, direction, steps = TARGETS[target]
    dice = BytesDice(data)
    return live(dice, recorded(direction), min(steps, len(data) // BYTES_A_STEP + 1))


def campaign(target: str, seed: int, *, first: int, packets: int) -> Tally:
    """Lives of a seed from number ``first`` on, until there were so many packets.

    Raises Broken at the first life that ends badly.
    """
    written = lives = 0
    counts: Counter[str] = Counter()
    while written < packets:
        trail = play(target, seed, first + lives)
        lives += 1
        written += trail.packets
        counts += trail.counts
    return Tally(lives, written, counts)
