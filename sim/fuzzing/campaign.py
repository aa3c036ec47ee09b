# SPDX-License-Identifier: MIT
"""Many fuzzed lives, one after the other: the same seed and number give the same life anywhere.

A life that ends badly is told with the command that plays it again. Knows no target but by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from sim.fuzzing import guest_steps, host_steps
from sim.fuzzing.dice import BytesDice, Dice, seeded
from sim.fuzzing.recorded import recorded
from sim.fuzzing.telling import Broken, Trail

PACKETS_A_PART: Final = 10_000
LIVES_A_PART: Final = 1000  # numbers; more than so many packets need
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
    """What a campaign has come to. ``survived`` are packets; after each all was as it must be.

    ``ended_by``: how many lives ended in which open items of the driver. ``unjudged`` are the
    packets that ended them, with those that were written beside each. ``counts``: of what else
    there was how much.
    """

    lives: int
    survived: int
    unjudged: int
    ended_by: Mapping[str, int]
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


def campaign(target: str, seed: int, *, part: int = 0, packets: int = PACKETS_A_PART) -> Tally:
    """Lives of a part of a seed's numbers, until so many packets have been survived.

    Raises Broken at the first life that ends badly.
    """
    lives = survived = unjudged = 0
    ended_by: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    while survived < packets:
        trail = play(target, seed, part * LIVES_A_PART + lives)
        lives += 1
        survived += trail.survived
        unjudged += trail.unjudged
        ended_by.update(filter(None, [trail.ended_by]))
        counts += trail.counts
    return Tally(lives, survived, unjudged, ended_by, counts)


def campaigns(target: str, seed: int, packets: int) -> Iterator[Tally]:
    """As many packets in parts, which give the same whoever plays them. Raises Broken."""
    for part, begun in enumerate(range(0, packets, PACKETS_A_PART)):
        yield campaign(target, seed, part=part, packets=min(PACKETS_A_PART, packets - begun))


def together(tallies: Iterable[Tally]) -> Tally:
    """What several campaigns have come to."""
    lives, survived, unjudged, ended_by, counts = zip(*tallies, strict=True)
    return Tally(
        sum(lives),
        sum(survived),
        sum(unjudged),
        sum(map(Counter, ended_by), Counter()),
        sum(map(Counter, counts), Counter()),
    )
