# SPDX-License-Identifier: MIT
"""Faults: choices of their own, within a budget, and nothing at all where none is allowed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from host.channel_worker import ChannelWorker
from sim.choices import NO_FAULT, Fault, Option, RandomChooser
from sim.fault_events import FaultInjected
from sim.faults import FAULTS, FaultBudget
from sim.scenario import FaultSpec, Scenario
from sim.scenario_options import with_faults
from sim.scenario_reader import load_scenario
from sim.world import World


class Unlucky:
    """Natural order, in which the fault at ``at`` happens whenever it can."""

    def __init__(self, at: str) -> None:
        self._at = at
        self.offered: list[tuple[str, str]] = []

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is not NO_FAULT:
            return 0
        fault = options[1]
        assert isinstance(fault, Fault)
        assert len(options) == 2
        self.offered.append((fault.name, fault.at))
        return int(fault.at == self._at)


def faulty(name: str, fault: str, most: int = 1) -> Scenario:
    scenario = with_faults(load_scenario(name), [fault])
    limits = msgspec.structs.replace(scenario.faults, **{fault.replace("-", "_"): most})
    return msgspec.structs.replace(scenario, faults=limits)


def happened(world: World) -> list[FaultInjected]:
    return [s.event for s in world.trace() if isinstance(s.event, FaultInjected)]


def test_every_fault_has_its_bound_in_a_scenario() -> None:
    assert tuple(name.replace("-", "_") for name in FAULTS) == FaultSpec.__struct_fields__


@pytest.mark.parametrize(
    ("fault", "at"),
    [
        ("allocation-failure", "HvDrState"),
        ("ring-full", "PCI_QUERY_BUS_RELATIONS"),
        ("lost-message", "PCI_BUS_RELATIONS2 nvme0"),
        ("doubled-message", "PCI_BUS_RELATIONS2 nvme0"),
        ("status-code", "PCI_BUS_D0ENTRY nvme0"),
        ("slow-host", "turn nvme0"),
    ],
)
def test_each_fault_is_a_choice_that_shows_in_the_trace_and_happens_as_often_as_it_may(
    fault: str, at: str
) -> None:
    chooser = Unlucky(at)
    world = World(faulty("arrival", fault), chooser=chooser, lates=0)
    world.run()
    assert happened(world) == [FaultInjected(fault, at)]
    assert {name for name, _ in chooser.offered} == {f"fault {fault}"}
    assert chooser.offered[-1] == (f"fault {fault}", at)  # the budget is used up: asked no more


@pytest.mark.parametrize("call", ["HVCALL_MMIO_READ", "HVCALL_MMIO_WRITE"])
def test_a_hypercall_that_fails_is_one_of_a_confidential_vm(call: str) -> None:
    world = World(faulty("cvm-arrival", "mmio-call-failure"), chooser=Unlucky(call))
    world.run()
    assert happened(world) == [FaultInjected("mmio-call-failure", call)]
    unasked = Unlucky(call)
    World(faulty("arrival", "mmio-call-failure"), chooser=unasked).run()
    assert unasked.offered == []


def test_a_budget_of_two_lets_two_allocations_fail() -> None:
    chooser = Unlucky("PacketBuffer")
    world = World(faulty("arrival", "allocation-failure", 2), chooser=chooser)
    world.run()
    assert happened(world) == [FaultInjected("allocation-failure", "PacketBuffer")] * 2


def test_a_fault_that_does_not_happen_changes_nothing() -> None:
    scenario = load_scenario("arrival")
    anything = with_faults(scenario, FAULTS)
    clean = World(scenario, chooser=Unlucky("nothing"))
    spared = World(anything, chooser=Unlucky("nothing"))
    assert clean.run() == spared.run()
    assert clean.trace() == spared.trace()


def test_without_faults_nobody_asks_and_nothing_is_put_in_place() -> None:
    chooser = Unlucky("nothing")
    world = World(load_scenario("arrival"), chooser=chooser)
    kernel = world.guest.kernel
    assert (kernel.fail_allocation, kernel.ring_is_full) == (None, None)
    world.run()
    assert chooser.offered == []


def test_in_natural_order_nothing_goes_wrong() -> None:
    scenario = load_scenario("arrival")
    world = World(with_faults(scenario, FAULTS))
    natural = World(scenario)
    assert world.run() == natural.run()
    assert world.trace() == natural.trace()


def test_only_what_may_go_wrong_in_the_guest_is_asked_there() -> None:
    world = World(faulty("arrival", "ring-full"), chooser=RandomChooser(1))
    world.run()
    kernel = world.guest.kernel
    assert kernel.fail_allocation is None
    assert kernel.ring_is_full is not None
    assert type(world.partition.bus("nvme0").worker) is ChannelWorker
    world = World(faulty("arrival", "allocation-failure"), chooser=RandomChooser(1))
    world.run()
    assert world.guest.kernel.ring_is_full is None
    budget = FaultBudget(FaultSpec(ring_full=1), lambda _: 0, lambda _: None)
    assert budget.host_is_reliable
    assert not FaultBudget(FaultSpec(slow_host=1), lambda _: 0, lambda _: None).host_is_reliable


def test_a_wait_that_comes_to_nothing_after_a_fault_is_no_mistake_of_the_scenario() -> None:
    chooser = Unlucky("PCI_QUERY_BUS_RELATIONS")
    world = World(faulty("eject-idle", "ring-full"), chooser=chooser)
    assert world.run().verdict == "clean"
    assert len(happened(world)) == 1
