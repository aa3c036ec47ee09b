# SPDX-License-Identifier: MIT
"""The clean driver under many orders: it must not break, and lose only what Linux loses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest

from host.devices.nvme_ssd import NVME_SSD
from sim.choices import Option, RandomChooser
from tests.guest.pci_hyperv.story import Story
from tests.guest.pci_hyperv.test_interrupts import TwoVectors

SEEDS = range(40)
US = 1_000


def life(seed: int, *, cpus: int, rescind_us: int, profiles: int = 1) -> Story:
    """Offer, eject and rescind at times of their own, in an order that ``seed`` chooses."""
    story = Story(cpus=cpus, chooser=RandomChooser(seed), profiles=(NVME_SSD,) * profiles)
    story.pci.register_driver(TwoVectors(story))
    story.host.offer()

    def eject() -> None:
        if not story.host.gone and story.host.window:
            for wslot in range(profiles):
                story.host.eject(wslot)

    eject_ns = rescind_us * US * 2 // 3
    story.engine.later((eject_ns, eject_ns), "eject", eject)
    rescind_ns = rescind_us * US
    story.engine.later((rescind_ns, rescind_ns), "rescind", story.host.rescind)
    return story.run()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_life_ends_clean_in_any_order(seed: int) -> None:
    story = life(seed, cpus=1 + seed % 3, rescind_us=50_000)
    assert story.leaks() == {}
    assert story.vmbus.channels == {}
    assert story.vmbus.mmio.taken == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rescind_at_any_moment_loses_no_more_than_the_children(seed: int) -> None:
    story = life(seed, cpus=2, rescind_us=100 + 37 * seed)
    assert set(story.leaks()) <= {"HvPciDev"}
    assert story.vmbus.channels == {}
    assert story.ring_blocks == 0


def test_the_same_seed_gives_the_same_events() -> None:
    first = life(7, cpus=2, rescind_us=1_000)
    second = life(7, cpus=2, rescind_us=1_000)
    assert first.events == second.events


class Abandoned(Exception):
    """The schedule ends here."""


class StopAfter(RandomChooser):
    """Random, until ``choices`` have been made."""

    __slots__ = ("_left",)

    def __init__(self, choices: int) -> None:
        super().__init__(choices)
        self._left = choices

    def choose(self, options: Sequence[Option]) -> int:
        self._left -= 1
        if self._left < 0:
            raise Abandoned
        return super().choose(options)


@pytest.mark.parametrize("choices", range(0, 400, 8))
def test_a_run_can_be_abandoned_at_any_choice(choices: int) -> None:
    story = Story(cpus=2, chooser=StopAfter(choices))
    story.pci.register_driver(TwoVectors(story))
    story.host.offer()
    with contextlib.suppress(Abandoned):
        story.run()
