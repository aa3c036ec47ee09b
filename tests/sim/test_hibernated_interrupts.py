# SPDX-License-Identifier: MIT
"""Interrupts over a hibernation: where they go as the CPUs go, and where they come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guest.events import FunctionReturned, MachinePoweredOff, MachinePoweredOn, MsiRetargeted
from guest.kernel.cpu_events import CpuOffline, CpuOnline
from guest.kernel.irq_events import InterruptHandled, InterruptRequested
from host.events import InterruptRetargeted
from sim.result import RunResult
from sim.scenario_reader import load_scenario, parse_scenario
from sim.world import play

HERE = Path()


def homes(result: RunResult) -> Iterator[dict[str, set[int]]]:
    """Before the machine is off and after it is on: each interrupt's CPUs, by its name."""
    names: dict[int, str] = {}
    found: dict[str, set[int]] = {}
    for stamped in result.trace:
        match stamped.event:
            case InterruptRequested(irq=irq, name=name):
                names[irq] = name
            case InterruptHandled(irq=irq, cpu=cpu):
                found.setdefault(names[irq], set()).add(cpu)
            case MachinePoweredOff():
                yield found
                found = {}
    yield found


def test_512_vectors_of_16_devices_come_back_each_on_its_cpu_and_deliver() -> None:
    result = play(load_scenario("hibernate-512-vectors"))
    assert result.verdict == "clean"
    before, after = homes(result)
    assert len(before) == 512
    assert before == after
    cpus = [cpu for (cpu,) in after.values()]
    assert {cpu: cpus.count(cpu) for cpu in range(32)} == dict.fromkeys(range(32), 16)


def test_kept_vectors_follow_the_last_cpu_and_are_composed_for_it() -> None:
    result = play(load_scenario("hibernate-kept-vectors"))
    assert result.verdict == "clean"
    before, after = homes(result)
    assert set().union(*before.values()) == {0, 1, 2, 3}
    assert len(after) == 9  # the GPU's and the SSD's eight
    assert set().union(*after.values()) == {0}


def test_while_the_machine_goes_down_aiming_fails_and_nobody_complains() -> None:
    result = play(load_scenario("hibernate-kept-vectors"))
    events = [stamped.event for stamped in result.trace]
    going = events[: events.index(MachinePoweredOff())]
    first = next(i for i, event in enumerate(going) if isinstance(event, CpuOffline))
    late = [event for event in going[first:] if isinstance(event, MsiRetargeted)]
    assert late
    assert all(event.status for event in late)
    assert not [text for _, _, text in result.log if "hv_arch_irq_unmask() failed" in text]
    on = events[events.index(MachinePoweredOn()) :]
    assert all(not event.status for event in on if isinstance(event, InterruptRetargeted))


def test_the_cpus_go_from_the_last_and_come_from_the_first_but_one() -> None:
    result = play(load_scenario("hibernate-kept-vectors"))
    moves = [s.event for s in result.trace if isinstance(s.event, (CpuOffline, CpuOnline))]
    assert moves == [*map(CpuOffline, (3, 2, 1)), *map(CpuOnline, (1, 2, 3))]


KEPT_512 = """
name = "kept-512"
story = "512 vectors that drivers keep have no room on one CPU."
[guest]
vcpus = 8
[[device]]
name = "nvme"
profile = "nvme-ssd"
driver = "generic"
vectors = 32
count = 16
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme" }]
[[actor]]
name = "user"
steps = [
  { wait = "driver-bound", device = "nvme" },
  { do = "suspend" },
  { do = "submit", device = "nvme" },
]
[expect]
verdict = "ENOSPC"
"""


def test_with_more_kept_vectors_than_a_cpu_has_the_machine_does_not_hibernate() -> None:
    """lapic_can_unplug_cpu(): -ENOSPC, and everything that was down comes up again."""
    result = play(parse_scenario(KEPT_512, source="kept-512.toml", folder=HERE))
    assert result.violation is None
    events = [stamped.event for stamped in result.trace]
    assert FunctionReturned(0, "hibernate", -28) in events  # type: ignore[arg-type]  # no relid
    assert MachinePoweredOff() not in events
    offline = [event.cpu for event in events if isinstance(event, CpuOffline)]
    online = [event.cpu for event in events if isinstance(event, CpuOnline)]
    assert offline == [7, 6, 5, 4, 3]
    assert online == offline[::-1]
    assert any("Cannot disable CPU" in text for _, _, text in result.log)
