# SPDX-License-Identifier: MIT
"""What a crash kernel takes for its framebuffer, and where its configuration windows then lie."""

from __future__ import annotations

import msgspec
import pytest

from guest.reference import GuestConfig
from host.events import ConfigWindowOverFramebuffer
from protocol.ids import VpIndex
from sim.crash_kernel import FRAMEBUFFERS, crash_kernel_config
from sim.scenario import Do, Scenario
from sim.scenario_grammar import FRAMEBUFFER
from sim.scenario_reader import load_scenario
from sim.world import play

LOW = (0xF800_0000, 0xFEBF_FFFF)
HIGH = (0x100_0000_0000, 0xFFF_FFFF_FFFF)
FIRST = GuestConfig(
    vp_numbers=(0, 4),
    vpci_versions=(0x10004,),
    mmio_ranges=(LOW, HIGH),
    framebuffer=(0xF900_0000, 0xF97F_FFFF),
    nodes=(1, 2),
    offline_nodes=(1,),
)


def knowing(framebuffer: str, at: tuple[int, int]) -> Scenario:
    """The story of the framebuffer with another place for it, and another thing known of it."""
    scenario = load_scenario("kdump-framebuffer")
    guest = msgspec.structs.replace(scenario.guest, framebuffer=at)
    fate = scenario.actors[-1]
    *before, boot = fate.steps
    assert isinstance(boot, Do)
    boot = msgspec.structs.replace(boot, arguments={**boot.arguments, "framebuffer": framebuffer})
    actors = (scenario.actors[0], msgspec.structs.replace(fate, steps=(*before, boot)))
    return msgspec.structs.replace(scenario, guest=guest, actors=actors)


def test_the_grammar_and_the_table_name_the_same() -> None:
    assert tuple(FRAMEBUFFERS) == FRAMEBUFFER


def test_a_crash_kernel_has_one_cpu_and_one_node() -> None:
    config = crash_kernel_config(FIRST, VpIndex(4), "told")
    assert (config.vp_numbers, config.nodes, config.offline_nodes) == ((4,), (), ())
    assert config.framebuffer == FIRST.framebuffer
    assert config.mmio_ranges == FIRST.mmio_ranges


@pytest.mark.parametrize(
    ("low", "reserved"),
    [
        (LOW, (0xF800_0000, 0xFBFF_FFFF)),  # half of what is below 4 GiB
        ((0xC000_0000, 0xFEBF_FFFF), (0xC000_0000, 0xC7FF_FFFF)),  # 128 MiB at most
        (HIGH, None),
    ],
)
def test_without_a_base_linux_guesses_at_the_lowest_addresses(
    low: tuple[int, int], reserved: tuple[int, int] | None
) -> None:
    first = msgspec.structs.replace(FIRST, mmio_ranges=(low,))
    assert crash_kernel_config(first, VpIndex(4), "guessed").framebuffer == reserved


@pytest.mark.parametrize(
    ("framebuffer", "at", "over"),
    [
        ("told", 0xF800_0000, False),
        ("unknown", 0xF800_0000, True),
        ("unknown", 0xF900_0000, False),  # luck
        ("guessed", 0xF800_0000, False),
        ("guessed", 0xFC00_0000, True),
    ],
)
def test_a_window_lies_over_a_framebuffer_that_was_not_reserved(
    framebuffer: str, at: int, over: bool
) -> None:
    result = play(knowing(framebuffer, (at, at + 0x7F_FFFF)))
    found = [s for s in result.trace if isinstance(s.event, ConfigWindowOverFramebuffer)]
    assert bool(found) is over
    assert result.verdict == ("known" if over else "clean")
    assert result.final.bus_state == {"nvme0": "installed"}
