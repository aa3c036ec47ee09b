# SPDX-License-Identifier: MIT
"""A machine whose kernel dies and is followed by another: who runs where, and what is left."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guest.kernel.memory import Allocated
from guest.reference import ReferenceGuest
from protocol.errors import LocalProtocolError
from protocol.ids import VpIndex
from sim.actors import NeverHappened, StepRefused
from sim.choices import RandomChooser
from sim.pci_view import guest_view
from sim.result import RunResult
from sim.scenario import Do, Scenario
from sim.scenario_reader import load_scenario, parse_scenario
from sim.summary import summarise
from sim.world import World, play


@lru_cache(maxsize=1)
def kdump() -> RunResult:
    return play(load_scenario("kdump"))


def events(result: RunResult, *names: str) -> list[Any]:
    return [s for s in result.trace if type(s.event).__name__ in names]


def with_fate(*steps: str, vcpu: int = -1) -> Scenario:
    """The scenario ``kdump`` with an actor who does these steps once the driver is bound."""
    scenario = load_scenario("kdump")
    fate = scenario.actors[-1]
    known = {getattr(step, "verb", type(step).__name__): step for step in fate.steps}
    chosen = (fate.steps[0], *(known[name] for name in steps))
    changed = msgspec.structs.replace(fate, steps=chosen, vcpu=vcpu)
    return msgspec.structs.replace(scenario, actors=(*scenario.actors[:-1], changed))


def test_the_crash_kernel_runs_on_the_processor_that_crashed() -> None:
    (crashed,) = events(kdump(), "KernelCrashed")
    (booted,) = events(kdump(), "KernelBooted")
    assert crashed.event.vp == VpIndex(5)
    assert (booted.event.number, booted.event.vps) == (2, (VpIndex(5),))
    calls = [s.event.vp for s in events(kdump(), "HypercallMade") if s.seq > crashed.seq]
    assert set(calls) == {VpIndex(5)}


def test_a_trace_tells_which_kernel_speaks() -> None:
    (booted,) = events(kdump(), "KernelBooted")
    kernels = {
        s.context.partition("/")[2].partition(":")[0].count(".")
        for s in kdump().trace
        if "/" in s.context and s.seq > booted.seq
    }
    assert kernels == {1}  # all of them "2.0"
    assert not any("/2." in s.context for s in kdump().trace if s.seq < booted.seq)


def test_the_host_refuses_d0_once_and_the_guest_releases_leaves_and_enters_again() -> None:
    (booted,) = events(kdump(), "KernelBooted")
    names = [
        message.name
        for message in kdump().messages
        if message.seq > booted.seq
        and message.direction == "guest-to-host"
        and message.name.startswith(("PCI_BUS_D0", "PCI_RESOURCES"))
    ]
    assert names == [
        *("PCI_BUS_D0ENTRY", "PCI_RESOURCES_RELEASED", "PCI_BUS_D0EXIT"),
        *("PCI_BUS_D0ENTRY", "PCI_RESOURCES_ASSIGNED2"),
    ]


def test_slots_are_released_from_the_highest_down() -> None:
    result = play(load_scenario("kdump-many"))
    released = [s.event for s in events(result, "ResourcesReleased") if "/2." in s.context]
    slots = [event.wslot for event in released if event.relid == released[-1].relid]
    assert slots == [4, 2]  # the GPU's, then the NIC's
    assert len(released) == 4


def test_a_kernel_that_died_leaves_no_leak_behind() -> None:
    world = World(load_scenario("kdump"))
    assert world.run().leaks == ()
    first, second = world.machine.kernels
    assert first.kernel.heap.census()["HvPciDev"] == 1  # nobody has freed it, nobody ever will
    assert second.kernel.heap is not first.kernel.heap
    second.kernel.heap.add(_Lost())
    assert isinstance(second, ReferenceGuest)
    assert second.unreachable() == {"_Lost": 1}


class _Lost(Allocated):
    __slots__ = ()


def test_a_machine_that_nobody_boots_again_owes_nothing() -> None:
    world = World(with_fate("crash"))
    result = summarise(world, world.run(), 0)
    assert (result.verdict, result.final.leaks) == ("clean", ())
    assert guest_view(world) == ()
    assert result.final.devices == ()
    assert result.final.bus_state == {"nvme0": "none"}


@pytest.mark.parametrize("vcpu", [0, 1])
def test_any_vcpu_may_crash(vcpu: int) -> None:
    result = play(with_fate("crash", "boot", vcpu=vcpu))
    (crashed,) = events(result, "KernelCrashed")
    assert crashed.event.vp == (0, 5)[vcpu]
    assert result.final.bus_state == {"nvme0": "installed"}


def test_a_vcpu_that_is_offline_does_not_crash() -> None:
    scenario = with_fate("crash", "boot", vcpu=1)
    fate = scenario.actors[-1]
    offline = Do(verb="cpu-offline", side="guest", arguments={"cpu": 1})
    changed = msgspec.structs.replace(fate, steps=(fate.steps[0], offline, *fate.steps[1:]))
    result = play(msgspec.structs.replace(scenario, actors=(scenario.actors[0], changed)))
    (crashed,) = events(result, "KernelCrashed")
    assert crashed.event.vp == VpIndex(0)
    assert result.final.bus_state == {"nvme0": "installed"}


def test_a_crash_kernel_may_crash_as_well() -> None:
    world = World(with_fate("crash", "boot", "crash", "boot"))
    assert world.run().verdict == "clean"
    assert [guest.kernel.number for guest in world.machine.kernels] == [1, 2, 3]
    assert world.guest.kernel.cpus[0].place == "3.0"


@pytest.mark.parametrize("steps", [("crash", "crash"), ("crash", "boot", "boot")])
def test_what_cannot_be_is_a_mistake_of_the_scenario(steps: tuple[str, ...]) -> None:
    with pytest.raises(StepRefused, match="the machine could not do it"):
        play(with_fate(*steps))


def test_nothing_boots_before_the_crash_has_come_to_its_end() -> None:
    world = World(load_scenario("kdump"))
    world.machine.crash(0)
    with pytest.raises(LocalProtocolError):
        world.machine.boot(16)
    world.run()


def test_somebody_whose_kernel_dies_goes_on_with_what_he_does_next() -> None:
    world = World(load_scenario("kdump"))
    world.run()
    assert [actor.at for actor in world.actors] == [None, None, None]
    threads = {s.context for s in world.trace() if s.context.startswith("thread/")}
    assert "thread/1:submit:user" in threads  # and nothing of his came to the second kernel
    assert "thread/2.0:submit:fate" in threads


def test_a_processor_that_the_crash_kernel_does_not_run_on_takes_nothing() -> None:
    world = World(load_scenario("kdump"))
    world.run()
    before = world.engine.waiting()
    for deliver in (world.machine.door.deliver_vector, world.machine.door.synic_event):
        deliver(VpIndex(0), 0x30)  # type: ignore[arg-type] # any number does
    world.machine.door.synic_message(VpIndex(0), bytes(32))
    assert world.engine.waiting() == before


def test_the_first_kernel_may_crash_at_many_moments() -> None:
    scenario = load_scenario("kdump-during-probe")
    moments = set()
    for seed in range(40):
        world = World(scenario, chooser=RandomChooser(seed))
        assert world.run().verdict == "clean"
        (crashed,) = [s for s in world.trace() if type(s.event).__name__ == "KernelCrashed"]
        moments.add(crashed.at_ns)
    assert len(moments) > 10
    (natural,) = events(play(scenario), "KernelCrashed")
    assert natural.at_ns == 300_000  # the last of the moments


def test_an_event_that_only_the_dead_kernel_could_have_brought_about_never_comes() -> None:
    scenario = with_fate("crash")
    fate = scenario.actors[-1]
    late = load_scenario("kdump").actors[-1].steps[-2]  # waits for the driver once more
    changed = msgspec.structs.replace(fate, steps=(*fate.steps, late))
    with pytest.raises(NeverHappened):
        play(msgspec.structs.replace(scenario, actors=(*scenario.actors[:-1], changed)))


STALE = """
name = "stale-vector"
story = "A device raises a vector that only the dead kernel had set up."
[guest]
vcpus = 4
[[device]]
name = "nic0"
profile = "nic-vf"
driver = "nic-vf"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nic0" }]
[[actor]]
name = "fate"
vcpu = 1
steps = [
  { wait = "driver-bound", device = "nic0" },
  { do = "crash" },
  { do = "boot" },
  { wait = "driver-bound", device = "nic0" },
  { do = "set-affinity", device = "nic0", cpus = [2, 3] },
  { do = "move-channel", device = "nic0", cpu = 3 },
  { do = "cpu-offline", cpu = 2 },
  { do = "cpu-online", cpu = 2 },
  { do = "interrupt", device = "nic0", vector = 3 },
  { do = "submit", device = "nic0", count = 2 },
]
"""


def test_a_vector_of_the_dead_kernel_is_masked_and_its_cpus_are_not_there() -> None:
    result = play(parse_scenario(STALE, source="stale-vector.toml", folder=Path()))
    assert result.verdict == "clean"
    (held,) = events(result, "InterruptHeld")
    assert held.event.index == 3
