# SPDX-License-Identifier: MIT
"""Processors that come and go, and numbers of processors that are not the guest's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guest.events import MsiRetargeted
from guest.kernel.cpu_events import CpuDying, CpuOffline, CpuOnline
from guest.kernel.irq_events import InterruptHandled, InterruptShutDown
from host.events import InterruptRetargeted
from protocol.link import HypercallMade
from sim.choices import RandomChooser
from sim.scenario import Scenario
from sim.scenario_reader import load_scenario, parse_scenario
from sim.trace import Stamped
from sim.world import World, play
from tests.sim.test_world import VERSIONS, as_asked

HERE = Path()
RETARGET = 0x7E
ABOUT_CPUS = (CpuDying, CpuOffline, CpuOnline, InterruptShutDown, InterruptHandled)


def events(name: str, *kinds: type) -> list[Any]:
    return [s.event for s in play(load_scenario(name)).trace if isinstance(s.event, kinds)]


def test_the_interrupt_of_a_last_moment_is_handled_by_the_next_cpu() -> None:
    story = events("offline-interrupts-move", *ABOUT_CPUS)
    dying = story.index(CpuDying(1))
    offline = story.index(CpuOffline(1))
    (late,) = [e for e in story[dying:] if isinstance(e, InterruptHandled) and e.irq == 25]
    assert late.cpu != 1
    assert dying < offline < story.index(CpuOnline(1))


def test_a_queue_moves_within_its_pair_and_sleeps_when_both_are_gone() -> None:
    story = events("offline-queues", CpuOffline, CpuOnline, InterruptShutDown)
    assert story == [
        CpuOffline(3), InterruptShutDown(25, 2), CpuOffline(2), CpuOnline(2), CpuOnline(3)
    ]  # fmt: skip


def test_nothing_runs_on_an_offline_cpu_in_any_order() -> None:
    scenario = load_scenario("cpus-come-and-go")
    for chooser in (None, *map(RandomChooser, range(20))):
        world = World(scenario, chooser=chooser)
        assert world.run().verdict == "clean"
        assert not list(_on_offline_cpus(world.trace()))


def _on_offline_cpus(trace: tuple[Stamped, ...]) -> list[Stamped]:
    """What an interrupt on an offline CPU did; threads may have moved since."""
    offline: set[int] = set()
    found = []
    for stamped in trace:
        match stamped.event:
            case CpuOffline(cpu=cpu):
                offline.add(cpu)
            case CpuOnline(cpu=cpu):
                offline.discard(cpu)
            case InterruptHandled(cpu=cpu) if cpu in offline:
                found.append(stamped)
    return found


def test_vmbus_refuses_a_channels_cpu_and_its_own() -> None:
    result = play(load_scenario("offline-channel-cpu"))
    assert [(error.function, error.errno) for error in result.errors] == [("cpu-offline", -16)] * 2


def test_while_a_driver_probes_no_cpu_goes() -> None:
    result = play(load_scenario("offline-during-probe"))
    assert ("cpu-offline", -16) in [(error.function, error.errno) for error in result.errors]


@pytest.mark.parametrize("name", ["permuted-vps", "sparse-vps", "beyond-64-vcpus"])
def test_interrupts_are_aimed_at_the_processor_of_their_cpu(name: str) -> None:
    scenario = load_scenario(name)
    vps = scenario.guest.vp_numbers
    trace = play(scenario).trace
    asked = [s.event for s in trace if isinstance(s.event, MsiRetargeted)]
    made = [s.event for s in trace if isinstance(s.event, InterruptRetargeted)]
    assert len(asked) == len(made) > 0
    for guest, host in zip(asked, made, strict=True):
        assert host.vps == tuple(vps[cpu] for cpu in guest.cpus)
        assert len(host.vps) == 1


BEYOND = """
name = "beyond-64-at-1-1"
story = "A guest of version 1.1 aims at its last vCPU."
[guest]
vcpus = 66
[[device]]
name = "nic0"
profile = "nic-vf"
driver = "nic-vf"
vectors = 1
[[actor]]
name = "administrator"
steps = [
  { do = "offer", device = "nic0" },
  { wait = "driver-bound", device = "nic0" },
  { do = "set-affinity", device = "nic0", vector = 0, cpus = [CPU] },
  { do = "interrupt", device = "nic0", vector = 0 },
  { after_ns = 1_000_000 },
  { do = "interrupt", device = "nic0", vector = 0 },
]
"""


def beyond(cpu: int) -> Scenario:
    return parse_scenario(BEYOND.replace("CPU", str(cpu)), source="beyond.toml", folder=HERE)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_at_1_1_an_interrupt_for_a_vp_beyond_64_goes_to_another_one(protocol: str) -> None:
    """``1ULL << vp`` of hv_arch_irq_unmask() shifts modulo 64; newer versions name a set."""
    assert play(as_asked(beyond(63), protocol=protocol)).verdict == "clean"
    result = play(as_asked(beyond(65), protocol=protocol))
    last = [s.event for s in result.trace if isinstance(s.event, InterruptRetargeted)][-1]
    if protocol != "1.1":
        assert (result.verdict, last.vps) == ("clean", (65,))
        return
    assert last.vps == (1,)
    assert result.violation is not None
    assert result.violation.kind == "lost-interrupt"


def test_a_scenario_beyond_64_says_why_1_1_cannot_play_it() -> None:
    for name in ("sparse-vps", "beyond-64-vcpus"):
        needs = load_scenario(name).needs
        assert "1.1" not in needs.protocol
        assert "64 bits" in needs.why


def test_the_words_of_a_set_reach_up_to_its_bank() -> None:
    """The control word counts the mask of banks and every bank up to the one that is meant."""
    calls = [e for e in events("sparse-vps", HypercallMade) if e.code == RETARGET]
    assert calls
    assert all(call.result == 0 for call in calls)
