# SPDX-License-Identifier: MIT
"""A device that puts accesses off: the processor that made one stands still, the other goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from guest.pci_core.events import DriverBound
from host.events import AccessDeferred
from protocol.link import BarWritten, ConfigWritten
from sim.native import native_guests
from sim.scenario import Scenario
from sim.scenario_reader import parse_scenario
from sim.trace import Stamped
from sim.world import World
from tests.kernel_trees import tree_of

LATE_NS = 5_000_000
PATIENCE_NS = 30_000_000
WAIT_NS = 1_000_000  # after the device has put its first access off
STORY = f"""
name = "put-off"
story = "The device puts off what the guest reads first of it and what it writes first."
[guest]
vcpus = 2
isolation = "ISOLATION"
[host.knobs]
access_patience_ns = {PATIENCE_NS}
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
vectors = 1
[[device]]
name = "nvme1"
profile = "nvme-ssd"
driver = "nvme"
vectors = 1
[[actor]]
name = "administrator"
steps = [
  {{ do = "offer", device = "nvme1" }},
  {{ wait = "driver-bound", device = "nvme1" }},
  {{ do = "offer", device = "nvme0" }},
  {{ wait = "d0-entered", device = "nvme0" }},
  {{ do = "defer-access", device = "nvme0", for_ns = FOR_NS }},
  {{ wait = "driver-bound", device = "nvme0" }},
]
[[actor]]
name = "user"
vcpu = VCPU
steps = [
  {{ wait = "access-deferred", device = "nvme0", after_ns = {WAIT_NS} }},
  {{ do = "submit", device = "nvme1" }},
]
"""


def story(for_ns: int, *, isolation: str = "none", vcpu: int = 1) -> Scenario:
    text = STORY.replace("FOR_NS", str(for_ns)).replace("ISOLATION", isolation)
    text = text.replace("VCPU", str(vcpu))
    return parse_scenario(text, source="put-off", folder=Path())


def played(for_ns: int, *, vcpu: int = 1) -> tuple[Stamped, ...]:
    world = World(story(for_ns, vcpu=vcpu))
    assert world.run().verdict == "clean"
    return world.trace()


def of(trace: tuple[Stamped, ...], kind: type) -> list[Stamped]:
    return [stamped for stamped in trace if isinstance(stamped.event, kind)]


def put_off(trace: tuple[Stamped, ...]) -> list[AccessDeferred]:
    """What the device has put off."""
    return [stamped.event for stamped in trace if isinstance(stamped.event, AccessDeferred)]


def test_the_processor_stands_still_until_the_device_answers() -> None:
    trace = played(LATE_NS)
    read, write = of(trace, AccessDeferred)
    assert [event.access for event in put_off(trace)] == ["read", "write"]
    later = [s for s in trace if s.context == read.context and s.at_ns > read.at_ns]
    assert later[0].at_ns == read.at_ns + LATE_NS
    done = next(s for s in of(trace, ConfigWritten) if s.seq > write.seq)
    assert (done.at_ns, done.context) == (write.at_ns + LATE_NS, "host")
    bound = of(trace, DriverBound)[-1]
    assert bound.at_ns > read.at_ns + 2 * LATE_NS


@pytest.mark.parametrize(("vcpu", "waited_ns"), [(1, WAIT_NS), (0, 2 * LATE_NS)])
def test_the_processor_that_made_the_access_stands_still_and_the_other_works_on(
    vcpu: int, waited_ns: int
) -> None:
    trace = played(LATE_NS, vcpu=vcpu)
    read = of(trace, AccessDeferred)[0]
    assert read.context.startswith("work/0:")
    rung = next(s for s in of(trace, BarWritten) if s.at_ns > read.at_ns)
    assert waited_ns <= rung.at_ns - read.at_ns < waited_ns + LATE_NS


def test_a_device_that_never_answers_is_given_up_and_the_guest_lives_on() -> None:
    trace = played(0)
    assert [event.held_ns for event in put_off(trace)] == [PATIENCE_NS] * 2
    assert len(of(trace, DriverBound)) == 2


@pytest.mark.parametrize("isolation", ["none", "cvm"])
def test_the_real_driver_is_held_as_long(isolation: str) -> None:
    scenario = story(LATE_NS, isolation=isolation)
    model, real = World(scenario), World(scenario, guests=native_guests(str(tree_of("6.12")), None))
    assert (model.run().verdict, real.run().verdict) == ("clean", "clean")
    held = [[(s.at_ns, s.event) for s in of(w.trace(), AccessDeferred)] for w in (model, real)]
    assert held[0] == held[1]
    assert len(held[0]) == 2
    assert model.engine.now_ns() == real.engine.now_ns()
