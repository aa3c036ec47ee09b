# SPDX-License-Identifier: MIT
"""Which node a device is taken to be near, and which CPUs take its interrupts therefore."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from guest.defects.catalogue import CATALOGUE
from guest.kernel.irq_events import VectorAllocated
from guest.kernel.numa import ONE_NODE, NumaNodes
from guest.reference import GuestConfig
from sim.configs import guest_config
from sim.scenario import ScenarioError
from sim.scenario_reader import load_scenario, parse_scenario
from sim.world import World

VECTORS = 4  # of each device: one a vCPU


def played(name: str, protocol: str = "1.4") -> World:
    scenario = load_scenario(name)
    world = World(replace(scenario, guest=replace(scenario.guest, protocol=(protocol,))))
    assert world.run().verdict == "clean"
    return world


def nodes_of(world: World) -> list[int]:
    """The nodes of the PCI devices, in the order in which they were found."""
    return [dev.numa_node for dev in world.guest.pci.devices.values()]


def cpus_of(world: World, device: int) -> set[int]:
    """The CPUs that got the vectors of the n-th device."""
    events = (stamped.event for stamped in world.trace())
    cpus = [event.cpu for event in events if isinstance(event, VectorAllocated)]
    return set(cpus[device * VECTORS : (device + 1) * VECTORS])


@pytest.mark.parametrize("protocol", ["1.4", "1.3"])
def test_a_node_that_the_guest_has_takes_the_interrupts_and_one_beyond_is_node_0(
    protocol: str,
) -> None:
    world = played("numa-node-beyond", protocol)
    assert nodes_of(world) == [1, 0]
    assert [cpus_of(world, device) for device in (0, 1)] == [{2, 3}, {0, 1}]


@pytest.mark.parametrize("protocol", ["1.2", "1.1"])
def test_before_1_3_no_node_is_told_and_it_is_node_0(protocol: str) -> None:
    world = played("numa-node-beyond", protocol)
    assert nodes_of(world) == [0, 0]
    assert [cpus_of(world, device) for device in (0, 1)] == [{0, 1}, {0, 1}]


@pytest.mark.wire_note("4.4c")
def test_an_offline_node_is_mapped_to_one_that_is_online() -> None:
    world = played("numa-offline-node")
    assert nodes_of(world) == [0]
    assert cpus_of(world, 0) == {0, 1}


def test_the_default_is_node_0_even_if_that_is_offline() -> None:
    scenario = load_scenario("numa-node-beyond")
    guest = replace(scenario.guest, offline_nodes=(0,))
    world = World(replace(scenario, guest=guest))
    assert world.run().verdict == "clean"
    assert nodes_of(world) == [1, 0]
    assert [cpus_of(world, device) for device in (0, 1)] == [{0, 1, 2, 3}] * 2


def test_without_numa_there_is_one_node_with_all_cpus() -> None:
    world = played("numa-off")
    assert nodes_of(world) == [0]
    assert cpus_of(world, 0) == {0, 1, 2, 3}


def test_vcpus_are_dealt_to_the_nodes_that_are_online() -> None:
    config = guest_config(load_scenario("numa-offline-node"))
    assert config.nodes == (0b0011, 0b1100, 0)
    assert config.numa() == NumaNodes(3, (0, 1))


def test_a_crash_kernel_has_one_node_whatever_the_host_names() -> None:
    world = played("kdump-numa")
    assert nodes_of(world) == [0]
    assert world.guest.kernel.numa == ONE_NODE
    assert guest_config(load_scenario("kdump-numa")).numa() == NumaNodes(2, (0, 1))


def test_a_kernel_may_lack_a_node_between_those_that_it_has() -> None:
    config = GuestConfig(vp_numbers=(2,), vpci_versions=(), nodes=(0, 0, 1), offline_nodes=(1,))
    assert config.numa() == NumaNodes(3, (0, 2))
    assert config.numa().map_to_online_node(1) == 0


@pytest.mark.parametrize("name", ["numa-off", "numa-unknown-node"])
def test_the_old_driver_asks_for_memory_on_a_node_that_is_not_there(name: str) -> None:
    violation = (
        World(load_scenario(name), defects=(CATALOGUE["numa-invalid-node"],)).run().violation
    )
    assert violation is not None
    assert violation.kind == "null-dereference"


@pytest.mark.parametrize(
    ("guest", "remedy"),
    [
        ("numa_nodes = 2\noffline_nodes = [2]", "nodes are numbered 0 to 1"),
        ("numa_nodes = 2\noffline_nodes = [1, 1]", "nodes are numbered 0 to 1"),
        ("offline_nodes = [0]", "must leave a node online"),
        ("numa_nodes = 2\nnuma = false\noffline_nodes = [1]", "drop one key"),
    ],
)
def test_nodes_that_cannot_be_offline_are_refused(guest: str, remedy: str) -> None:
    text = f"""
name = "story"
story = "As the test says."
[guest]
{guest}
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "host"
steps = [{{ do = "offer", device = "nvme0" }}]
"""
    with pytest.raises(ScenarioError, match=f"guest.offline_nodes: .*{remedy}"):
        parse_scenario(text, source="story.toml", folder=Path())
