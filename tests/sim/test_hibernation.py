# SPDX-License-Identifier: MIT
"""Whole machines hibernate: what the trace must have, whatever the host does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from guest.events import (
    BusStateChanged,
    D0Entered,
    D0Left,
    FunctionReturned,
    MachinePoweredOff,
    MachinePoweredOn,
    MsiComposed,
    VersionNegotiated,
)
from guest.kernel.irq_events import InterruptRequested, VectorAllocated
from guest.pci_core.events import DriverBound, DriverUnbound
from guest.vmbus.power import RESUME_TIMEOUT_MS
from host.events import BarsUnmapped, ChannelMoved
from protocol.link import BarWritten, MessagePosted
from protocol.vmbus import message_name
from sim.result import RunResult
from sim.scenario_options import with_options
from sim.scenario_reader import load_scenario, parse_scenario
from sim.world import play

VERSIONS = ("1.4", "1.3", "1.2", "1.1")
every_version = pytest.mark.parametrize("version", VERSIONS)


def played(name: str, version: str = "1.4") -> RunResult:
    scenario = with_options(load_scenario(name), protocol=version, profile=None, device=None)
    result = play(scenario)
    assert result.violation is None
    return result


def events(result: RunResult, *kinds: type) -> list[Any]:
    return [stamped.event for stamped in result.trace if isinstance(stamped.event, kinds)]


def after(result: RunResult, moment: type) -> Iterator[Any]:
    """What happened from then on."""
    found = False
    for stamped in result.trace:
        found |= isinstance(stamped.event, moment)
        if found:
            yield stamped.event


def at_ns(result: RunResult, kind: type) -> list[int]:
    return [stamped.at_ns for stamped in result.trace if isinstance(stamped.event, kind)]


@every_version
def test_a_machine_that_comes_back_speaks_the_version_of_before_and_is_in_d0(version: str) -> None:
    result = played("hibernate", version)
    assert [event.version for event in events(result, VersionNegotiated)] == [version] * 4
    assert result.final.bus_state == {"nvme0": "installed", "gpu0": "installed"}
    assert len(events(result, D0Left)) == 2
    assert len([event for event in events(result, D0Entered) if hasattr(event, "window_gpa")]) == 4


def test_the_youngest_device_sleeps_first_and_the_oldest_wakes_first() -> None:
    result = played("hibernate")
    changed = events(result, BusStateChanged)
    down = [event.relid for event in changed if event.state == "removing"]
    up = [event.relid for event in changed if event.state == "installed"][2:]
    assert down == [2, 1]
    assert up == [3, 4]
    assert [(moved.before, moved.relid) for moved in events(result, ChannelMoved)] == [
        (1, 3), (2, 4)
    ]  # fmt: skip


def test_a_vector_that_was_kept_is_asked_for_again_and_one_that_was_freed_is_allocated_anew() -> (
    None
):
    result = played("hibernate")
    later = list(after(result, MachinePoweredOn))
    requested = [event.irq for event in later if isinstance(event, InterruptRequested)]
    composed = [event for event in later if isinstance(event, MsiComposed)]
    kept = {event.irq for event in composed} - set(requested)
    assert len(kept) == 1
    assert len(requested) == 2
    last = {event.irq: event.cpu for event in events(result, VectorAllocated)}
    assert sorted(last[irq] for irq in requested) == [0, 1]


def test_nothing_is_said_while_the_machine_is_off_and_every_device_comes_out_of_reset() -> None:
    result = played("hibernate")
    off, on = at_ns(result, MachinePoweredOff), at_ns(result, MachinePoweredOn)
    assert len(off) == len(on) == 1
    assert on[0] - off[0] == 5_000_000_000
    during = [s for s in result.trace if off[0] < s.at_ns < on[0]]
    assert during == []
    assert events(result, BarsUnmapped)


def test_the_connection_ends_with_an_unload_and_begins_with_a_contact() -> None:
    result = played("hibernate-twice")
    names = [
        message_name(event.payload)
        for event in events(result, MessagePosted)
        if event.direction == "guest-to-host"
    ]
    wanted = ("INITIATE_CONTACT", "REQUESTOFFERS", "UNLOAD")
    told = [name for name in names if name in wanted]
    assert told == [*("INITIATE_CONTACT", "REQUESTOFFERS", "UNLOAD") * 2, *wanted[:2]]


def test_a_missing_device_is_waited_for_for_ten_seconds() -> None:
    result = played("hibernate-device-missing")
    on = at_ns(result, MachinePoweredOn)[0]
    resumed = [
        stamped.at_ns
        for stamped in result.trace
        if isinstance(stamped.event, FunctionReturned)
        and stamped.event.function == "vmbus_bus_resume"
    ]
    assert RESUME_TIMEOUT_MS * 1_000_000 <= resumed[0] - on < (RESUME_TIMEOUT_MS + 1) * 1_000_000


def test_a_new_device_is_probed_when_the_old_ones_are_back() -> None:
    result = played("hibernate-device-new")
    later = list(after(result, MachinePoweredOn))
    resumed = next(
        index for index, event in enumerate(later) if isinstance(event, InterruptRequested)
    )
    bound = next(index for index, event in enumerate(later) if isinstance(event, DriverBound))
    assert resumed < bound


@pytest.mark.parametrize(
    ("name", "function", "errno"),
    [
        ("resume-d0-refused", "hv_pci_resume", -71),
        ("resume-version-refused", "hv_pci_resume", -71),
        ("hibernate-device-missing", "hv_pci_resume", -122),
        ("hibernate-device-missing", "hv_pci_suspend", -22),
        ("suspend-times-out", "hv_pci_suspend", -110),
    ],
)
def test_what_fails_fails_with_the_kernels_own_error(name: str, function: str, errno: int) -> None:
    errors = [(error.function, error.errno) for error in played(name).errors]
    assert (function, errno) in errors


def test_a_resume_that_failed_leaves_a_device_that_nobody_reaches() -> None:
    result = played("resume-d0-refused")
    later = after(result, MachinePoweredOn)
    assert not [event for event in later if isinstance(event, BarWritten)]
    assert result.final.bus_state == {"nvme0": "init"}


ASLEEP = """
name = "asleep"
story = "Somebody types a command while the machine is off."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme0" }]
[[actor]]
name = "user"
steps = [
  { wait = "driver-bound", device = "nvme0" },
  { do = "suspend" },
  { after_ns = 1_000_000_000 },
  SWITCH
]
[[actor]]
name = "other"
steps = [
  { wait = "machine-powered-off" },
  { do = "unbind", device = "nvme0" },
]
"""


def asleep(switch: str) -> RunResult:
    text = ASLEEP.replace("SWITCH", switch)
    return play(parse_scenario(text, source="asleep.toml", folder=Path()))


def test_a_process_of_a_machine_that_is_off_goes_on_when_it_is_back() -> None:
    result = asleep('{ do = "resume" },')
    on, unbound = at_ns(result, MachinePoweredOn)[0], at_ns(result, DriverUnbound)[0]
    assert result.violation is None
    assert on < unbound


def test_a_machine_that_stays_off_is_no_hang_and_does_nothing() -> None:
    result = asleep("")
    assert result.violation is None
    assert at_ns(result, DriverUnbound) == []
    assert result.final.bus_state == {"nvme0": "removing"}


TWO_AT_ONCE = """
name = "two-at-once"
story = "Two people hibernate the machine at the same moment, and one of them switches it on again."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme0" }]
[[actor]]
name = "first"
steps = [{ wait = "driver-bound", device = "nvme0" }, { do = "suspend" }, FIRST]
[[actor]]
name = "second"
steps = [{ wait = "driver-bound", device = "nvme0" }, { do = "suspend" }, SECOND]
"""
SWITCH = '{ after_ns = 1_000_000_000 }, { do = "resume" }'


def two_at_once(first: str, second: str) -> RunResult:
    text = TWO_AT_ONCE.replace("FIRST", first).replace("SECOND", second)
    return play(parse_scenario(text, source="two-at-once.toml", folder=Path()))


def test_who_waits_for_another_hibernation_to_end_waits_while_the_machine_is_off() -> None:
    result = two_at_once("", SWITCH)
    assert result.violation is None
    assert at_ns(result, MachinePoweredOn) == []


def test_the_second_of_two_hibernations_begins_when_the_first_is_over() -> None:
    result = two_at_once(SWITCH, SWITCH)
    assert result.violation is None
    off, on = at_ns(result, MachinePoweredOff), at_ns(result, MachinePoweredOn)
    assert off[0] < on[0] < off[1] < on[1]


@pytest.mark.parametrize("name", ["hibernate-device-missing", "hibernate-reoffer"])
def test_a_host_without_unload_notices_that_the_machine_is_off(name: str) -> None:
    scenario = load_scenario(name)
    knobs = {**scenario.host.knobs, "highest_vmbus_version": "2.4"}
    result = play(replace(scenario, host=replace(scenario.host, knobs=knobs)))
    assert result.violation is None
    told = [message_name(event.payload) for event in events(result, MessagePosted)]
    assert "UNLOAD" not in told
    assert "RESCIND_CHANNELOFFER" not in told
