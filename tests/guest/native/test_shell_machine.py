# SPDX-License-Identifier: MIT
"""The real driver's machine hibernates, loses CPUs and crashes as the model's does."""

from errno import EBUSY

import pytest

from guest.events import (
    FunctionReturned,
    MachinePoweredOff,
    MachinePoweredOn,
    ProcessesFrozen,
    UnloadEnded,
)
from guest.kernel.cpu_events import CpuDying, CpuOffline, CpuOnline
from guest.native.library import Library
from sim.choices import RandomChooser
from sim.result import RunResult
from tests.guest.native.playing import played
from tests.guest.native.shells import ONE_DEVICE, errors, names, story, told

SLEEPS = '{ do = "suspend" }, { do = "pause", ns = 1_000_000 }, { do = "resume" }'
SILENT = "[host.knobs]\nunload_ignored = true\n"


def of(result: RunResult, *kinds: type) -> list[object]:
    """What happened of these kinds, in order."""
    return [stamped.event for stamped in result.trace if isinstance(stamped.event, kinds)]


def test_a_machine_hibernates_in_the_kernels_order(library: Library) -> None:
    result = told(story(SLEEPS), library)
    kinds = (ProcessesFrozen, MachinePoweredOff, MachinePoweredOn, FunctionReturned)
    steps = [
        event.function if isinstance(event, FunctionReturned) else type(event).__name__
        for event in of(result, *kinds)
    ]
    assert result.violation is None
    assert steps == [
        *("hv_pci_probe", "ProcessesFrozen", "hv_pci_suspend", "vmbus_bus_suspend"),
        *("MachinePoweredOff", "MachinePoweredOn", "vmbus_bus_resume", "hv_pci_resume"),
        "hibernate",
    ]


@pytest.mark.parametrize("name", ["hibernate-twice", "hibernate-eject", "hibernate-unbound"])
def test_it_says_to_the_host_what_the_model_says(library: Library, name: str) -> None:
    """Message by message; when each is said may differ by a moment."""
    world, verdict = played(library, name)
    model, expected = played(None, name)
    assert verdict.verdict == expected.verdict
    told_by = [
        [type(x.event).__name__ for x in each.trace() if type(x.event).__name__ == "MessagePosted"]
        for each in (world, model)
    ]
    assert told_by[0] == told_by[1]


UNLOADS = """
[[actor]]
name = "other"
steps = [{ wait = "machine-powered-off" }, { do = "unload" }]
"""


def test_a_command_given_while_the_machine_sleeps_waits_for_it(library: Library) -> None:
    result = told(story(SLEEPS, more=UNLOADS), library)
    happened = names(result)
    assert result.violation is None
    assert happened.index("DriverRemoved") > happened.index("MachinePoweredOn")


def test_nobody_is_waited_for_while_the_machine_is_off(library: Library) -> None:
    assert told(story('{ do = "suspend" }', more=UNLOADS), library).violation is None


def test_vmbus_keeps_the_cpu_that_it_was_connected_on(library: Library) -> None:
    scenario = story('{ do = "cpu-offline", cpu = 0 }')
    refused = [("cpu-offline", -EBUSY)]
    assert errors(told(scenario, library)) == errors(told(scenario)) == refused


def test_a_cpu_goes_and_comes_back_with_its_interrupts(library: Library) -> None:
    commands = """{ do = "move-channel", device = "nvme0", cpu = 0 },
{ do = "cpu-offline", cpu = 1 }, { do = "submit", device = "nvme0", count = 1 },
{ do = "cpu-online", cpu = 1 }, { do = "submit", device = "nvme0", count = 1 }"""
    scenario = story(commands)
    result = told(scenario, library)
    assert (result.violation, errors(result)) == (None, [])
    assert of(result, CpuDying, CpuOffline, CpuOnline) == [CpuDying(1), CpuOffline(1), CpuOnline(1)]
    handled = [names(each).count("InterruptHandled") for each in (result, told(scenario))]
    assert handled[0] == handled[1]


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_no_context_is_lost_with_its_cpu(library: Library, seed: int) -> None:
    commands = """{ do = "move-channel", device = "nvme0", cpu = 0 },
{ do = "cpu-offline", cpu = 1 }, { do = "cpu-online", cpu = 1 }"""
    other = """
[[actor]]
name = "other"
steps = [
  { wait = "driver-bound", device = "nvme0" },
  { do = "submit", device = "nvme0", count = 2 },
]
"""
    assert told(story(commands, more=other), library, RandomChooser(seed)).violation is None


def test_a_kernel_that_crashes_unloads_vmbus(library: Library) -> None:
    assert of(told(story('{ do = "crash" }'), library), UnloadEnded) == [UnloadEnded(answered=True)]


def test_it_waits_for_a_silent_host_no_longer_than_linux_does(library: Library) -> None:
    scenario = story('{ do = "crash" }', devices=SILENT + ONE_DEVICE)
    result, model = told(scenario, library), told(scenario)
    assert of(result, UnloadEnded) == [UnloadEnded(answered=False)]
    assert names(result).count("UnloadAwaited") == names(model).count("UnloadAwaited") == 20
    assert result.ended_at_ns == model.ended_at_ns


@pytest.mark.parametrize("seed", range(6))
def test_it_crashes_at_any_moment(library: Library, seed: int) -> None:
    """Wherever everybody stands, nobody but the crash path does anything any more."""
    other = """
[[actor]]
name = "fate"
steps = [{ wait = "driver-bound", device = "nvme0" }, { within_ns = 100_000 }, { do = "crash" }]
"""
    commands = '{ do = "unload" }, { do = "load" }'
    result = told(story(commands, more=other), library, RandomChooser(seed))
    assert result.violation is None
    assert names(result).count("UnloadEnded") == names(result).count("KernelCrashed") == 1
