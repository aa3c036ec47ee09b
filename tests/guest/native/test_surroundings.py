# SPDX-License-Identifier: MIT
"""What surrounds the real driver is what the scenario says: faults, held CPUs, nodes, isolation."""

import re
from errno import EAGAIN, ENOMEM
from pathlib import Path

import pytest

from guest.events import VersionNegotiated
from guest.native.library import Library
from guest.pci_core.events import DriverBound
from sim.fault_events import FaultInjected
from tests.guest.native.playing import Fate, events, played, returned

SHIM = Path(__file__).parents[3] / "guest/native/shim"


def test_an_allocation_that_was_chosen_to_fail_fails(library: Library) -> None:
    fate = Fate("allocation-failure", "HvPciBus")
    world, _ = played(library, "arrival", "allocation-failure", fate=fate)
    assert returned(world, "hv_pci_probe") == [-ENOMEM]
    assert [event for event in events(world) if isinstance(event, FaultInjected)] == [
        FaultInjected("allocation-failure", "HvPciBus")
    ]


def test_a_ring_that_was_chosen_to_be_full_takes_no_packet(library: Library) -> None:
    fate = Fate("ring-full", "PCI_QUERY_PROTOCOL_VERSION")
    world, _ = played(library, "arrival", "ring-full", fate=fate)
    assert returned(world, "hv_pci_probe") == [-EAGAIN]


def test_what_can_fail_is_listed_in_order_for_the_search() -> None:
    functions = re.findall(r'\{ "(\w+)", "\w+" \}', (SHIM / "faults.c").read_text())
    assert len(functions) > 20
    assert functions == sorted(functions)


def test_the_guest_pays_for_the_time_that_the_host_holds_its_processor(library: Library) -> None:
    world, _ = played(library, "mmio-exact-fit")
    assert world.engine.now_ns() > 128_000_000  # a millisecond per GiB that is mapped


def test_a_confidential_guest_reaches_configuration_space_by_hypercalls(library: Library) -> None:
    world, _ = played(library, "cvm-arrival")
    assert returned(world, "hv_pci_probe") == [0]
    assert not any(
        "MMIO read hypercall error" in line for _, _, line in world.machine.guest.kernel.log_lines
    )


@pytest.mark.parametrize("scenario", ["numa-offline-node", "numa-node-beyond", "many-vcpus"])
def test_processors_and_nodes_are_the_scenarios(library: Library, scenario: str) -> None:
    world, _ = played(library, scenario)
    assert set(returned(world, "hv_pci_probe")) == {0}


def test_a_function_whose_driver_does_not_exist_stays_unbound(library: Library) -> None:
    world, verdict = played(library, "rebind-without-memory")
    assert verdict.violation is None
    assert not any(isinstance(event, DriverBound) for event in events(world))


@pytest.mark.parametrize("scenario", ["eject-idle", "rescind-during-query", "unload-slow-host"])
def test_nothing_is_left_behind(library: Library, scenario: str) -> None:
    _, verdict = played(library, scenario)
    assert (verdict.verdict, verdict.leaks) == ("clean", ())


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
def test_the_driver_ends_in_the_version_that_the_scenario_asks_for(
    library: Library, version: str
) -> None:
    world, verdict = played(library, "arrival", protocol=version)
    agreed = [event.version for event in events(world) if isinstance(event, VersionNegotiated)]
    assert (agreed, verdict.verdict) == ([version], "clean")
