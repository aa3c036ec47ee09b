# SPDX-License-Identifier: MIT
"""What surrounds the real driver is what the scenario says: faults, held CPUs, nodes, isolation."""

import re
from collections.abc import Sequence
from errno import EAGAIN, ENOMEM
from pathlib import Path

import pytest

from guest.events import FunctionReturned
from guest.native.library import Library
from sim.choices import FAULT_PREFIX, Option
from sim.fault_events import FaultInjected
from sim.guests import NativeGuests
from sim.scenario_options import with_faults
from sim.scenario_reader import find_scenario, parse_scenario
from sim.world import World

SHIM = Path(__file__).parents[3] / "guest/native/shim"


class Fate:
    """Natural order, but that one fault happens when it first can at that place."""

    def __init__(self, fault: str, at: str) -> None:
        self._wanted = (FAULT_PREFIX + fault, at)

    def choose(self, options: Sequence[Option]) -> int:
        names = [(option.name, option.at) for option in options]
        return names.index(self._wanted) if self._wanted in names else 0


def played(
    library: Library, name: str, *faults: str, fate: Fate | None = None
) -> tuple[World, list[object]]:
    text = find_scenario(name).read_text(encoding="utf-8")
    scenario = with_faults(parse_scenario(text, source=name, folder=Path()), faults)
    world = World(scenario, guests=NativeGuests(lambda: library), chooser=fate, lates=0)
    world.run()
    return world, [stamped.event for stamped in world.trace()]


def returned(events: list[object], function: str) -> list[int]:
    found = (event for event in events if isinstance(event, FunctionReturned))
    return [event.errno for event in found if event.function == function]


def test_an_allocation_that_was_chosen_to_fail_fails(library: Library) -> None:
    fate = Fate("allocation-failure", "HvPciBus")
    _, events = played(library, "arrival", "allocation-failure", fate=fate)
    assert returned(events, "hv_pci_probe") == [-ENOMEM]
    assert [event for event in events if isinstance(event, FaultInjected)] == [
        FaultInjected("allocation-failure", "HvPciBus")
    ]


def test_a_ring_that_was_chosen_to_be_full_takes_no_packet(library: Library) -> None:
    fate = Fate("ring-full", "PCI_QUERY_PROTOCOL_VERSION")
    _, events = played(library, "arrival", "ring-full", fate=fate)
    assert returned(events, "hv_pci_probe") == [-EAGAIN]


def test_what_can_fail_is_listed_in_order_for_the_search() -> None:
    functions = re.findall(r'\{ "(\w+)", "\w+" \}', (SHIM / "faults.c").read_text())
    assert len(functions) > 20
    assert functions == sorted(functions)


def test_the_guest_pays_for_the_time_that_the_host_holds_its_processor(library: Library) -> None:
    world, _ = played(library, "mmio-exact-fit")
    assert world.engine.now_ns() > 128_000_000  # a millisecond per GiB that is mapped


def test_a_confidential_guest_reaches_configuration_space_by_hypercalls(library: Library) -> None:
    world, events = played(library, "cvm-arrival")
    assert returned(events, "hv_pci_probe") == [0]
    assert not any(
        "MMIO read hypercall error" in line for _, _, line in world.machine.guest.kernel.log_lines
    )


@pytest.mark.parametrize("scenario", ["numa-offline-node", "numa-node-beyond", "many-vcpus"])
def test_processors_and_nodes_are_the_scenarios(library: Library, scenario: str) -> None:
    _, events = played(library, scenario)
    assert set(returned(events, "hv_pci_probe")) == {0}
