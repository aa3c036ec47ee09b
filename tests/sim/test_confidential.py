# SPDX-License-Identifier: MIT
"""A confidential VM as its host and the wire see it."""

from __future__ import annotations

from msgspec.structs import replace

from host.events import BarsMapped
from protocol.hypercall import HVCALL_MMIO_READ, HVCALL_MMIO_WRITE
from protocol.link import ConfigRead, ConfigWritten, HypercallMade, UnclaimedAccess
from sim.scenario import Scenario
from sim.scenario_reader import load_scenario
from sim.world import World

MMIO_CALLS = (HVCALL_MMIO_READ, HVCALL_MMIO_WRITE)
LARGE_NS = 10**15  # for a GiB: the SSD's 16 KiB of BAR take 15 ms


def story(isolation: str) -> Scenario:
    """The scenario, with BARs that take their time to be mapped."""
    scenario = load_scenario("cvm-arrival")
    slow = {"bar_map_per_gib": (LARGE_NS, LARGE_NS), "bar_unmap_per_gib": (LARGE_NS, LARGE_NS)}
    return replace(
        scenario,
        guest=replace(scenario.guest, isolation=isolation),
        host=replace(scenario.host, latency_ns=slow),
    )


def played(isolation: str) -> World:
    world = World(story(isolation))
    assert world.run().verdict == "clean"
    return world


def test_each_access_to_configuration_space_is_two_hypercalls() -> None:
    events = [stamped.event for stamped in played("cvm").trace()]
    calls = [e for e in events if isinstance(e, HypercallMade) and e.code in MMIO_CALLS]
    accesses = [e for e in events if isinstance(e, (ConfigRead, ConfigWritten))]
    assert accesses
    assert len(calls) == 2 * len(accesses)
    assert not any(isinstance(event, UnclaimedAccess) for event in events)


def test_a_vm_makes_no_such_call() -> None:
    events = [stamped.event for stamped in played("none").trace()]
    assert not any(isinstance(e, HypercallMade) and e.code in MMIO_CALLS for e in events)


def test_bars_take_as_long_to_map_by_hypercall_as_by_instruction() -> None:
    confidential, open_to_all = played("cvm"), played("none")
    mapped = [s.event for s in confidential.trace() if isinstance(s.event, BarsMapped)]
    assert all(event.held_ns for event in mapped)
    assert confidential.engine.now_ns() == open_to_all.engine.now_ns()
