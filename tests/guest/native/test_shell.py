# SPDX-License-Identifier: MIT
"""Somebody at a shell of the real driver's guest: what is done and refused is as in the model."""

from errno import EBUSY, ENODEV, ENOENT

import pytest

from guest.events import MsiRetargeted
from guest.native.library import Library
from guest.pci_core.events import DriverUnbound
from sim.choices import RandomChooser
from tests.guest.native.shells import errors, names, story, told

SEEDS = range(8)
OVERRIDDEN = """
{ do = "driver-override", device = "nvme0", driver = "uio_hv_generic" },
{ do = "unload" }, { do = "load" }, { do = "unbind-bus", device = "nvme0" }"""
TAKEN_BACK = """
{ do = "driver-override", device = "nvme0", driver = "uio_hv_generic" },
{ do = "driver-override", device = "nvme0" },
{ do = "unload" }, { do = "load" }, { do = "unbind-bus", device = "nvme0" }"""

UNMANAGED = """
[[device]]
name = "nvme0"
profile = "nic-vf"
driver = "nic-vf"
"""


@pytest.mark.parametrize(
    ("commands", "refused"),
    [
        ('{ do = "load" }', []),  # as modprobe has it
        ('{ do = "unload" }, { do = "unload" }', [("rmmod", -ENOENT)]),
        ('{ do = "bind-bus", device = "nvme0" }', [("bind", -EBUSY)]),
        ('{ do = "unload" }, { do = "bind-bus", device = "nvme0" }', [("bind", -ENOENT)]),
        ('{ do = "unbind-bus", device = "nvme0" }, { do = "bind-bus", device = "nvme0" }', []),
        (OVERRIDDEN, [("unbind", -ENODEV)]),
        (TAKEN_BACK, []),
    ],
)
def test_the_kernel_refuses_what_the_model_refuses(
    library: Library, commands: str, refused: list[tuple[str, int]]
) -> None:
    scenario = story(commands)
    assert errors(told(scenario, library)) == refused
    assert errors(told(scenario)) == refused


def test_a_bus_that_is_unbound_and_bound_again_probes_again(library: Library) -> None:
    commands = '{ do = "unbind-bus", device = "nvme0" }, { do = "bind-bus", device = "nvme0" }'
    happened = names(told(story(commands), library))
    assert happened.count("DriverRemoved") == 1
    assert happened.count("DriverBound") == 2


def test_a_function_is_unbound_and_bound_by_its_drivers_files(library: Library) -> None:
    commands = """{ do = "unbind", device = "nvme0" }, { do = "unbind", device = "nvme0" },
{ do = "bind", device = "nvme0" }"""
    result = told(story(commands), library)
    unbound = [x.event for x in result.trace if isinstance(x.event, DriverUnbound)]
    assert [event.driver for event in unbound] == ["nvme"]
    assert names(result).count("DriverBound") == 2


def test_in_any_order_a_module_goes_while_somebody_writes_to_its_files(library: Library) -> None:
    other = """
[[actor]]
name = "other"
steps = [{ wait = "driver-bound", device = "nvme0" },
  { do = "unbind-bus", device = "nvme0" }, { do = "bind-bus", device = "nvme0" }]
"""
    scenario = story('{ do = "unload" }', more=other)
    for seed in SEEDS:
        result = told(scenario, library, RandomChooser(seed))
        assert result.violation is None, f"seed {seed}"


def test_a_file_that_is_open_keeps_the_device_that_is_gone(library: Library) -> None:
    commands = """{ do = "open-device", device = "nvme0" },
{ do = "unload" }, { do = "close-device", device = "nvme0" }"""
    result = told(story(commands), library)
    assert result.violation is None
    assert result.final.leaks == ()


def test_a_command_on_a_function_that_is_gone_does_nothing(library: Library) -> None:
    commands = """{ do = "unload" }, { do = "submit", device = "nvme0", count = 1 },
{ do = "set-affinity", device = "nvme0", vector = 0, cpus = [0] },
{ do = "bind", device = "nvme0" }, { do = "move-channel", device = "nvme0", cpu = 1 }"""
    result = told(story(commands), library)
    assert (result.violation, errors(result)) == (None, [])


def test_an_interrupt_moves_with_the_next_one_after_its_affinity_was_set(library: Library) -> None:
    commands = """{ do = "set-affinity", device = "nvme0", vector = 0, cpus = [1] },
{ do = "submit", device = "nvme0", count = 2 },
{ do = "set-affinity", device = "nvme0", vector = 0, cpus = [0] },
{ do = "submit", device = "nvme0", count = 2 }"""
    scenario = story(commands, devices=UNMANAGED)
    moved = [names(told(scenario, each)).count("MsiRetargeted") for each in (library, None)]
    stays = names(told(story("", devices=UNMANAGED), library)).count("MsiRetargeted")
    assert stays < moved[0] == moved[1]


def test_an_interrupt_moves_to_a_cpu_that_no_word_has_a_bit_for(library: Library) -> None:
    commands = """{ do = "set-affinity", device = "nvme0", vector = 0, cpus = [129] },
{ do = "submit", device = "nvme0", count = 1 }"""
    scenario = story(commands, devices=UNMANAGED, vcpus=130)
    for each in (library, None):
        trace = told(scenario, each).trace
        moved = [x.event.cpus for x in trace if isinstance(x.event, MsiRetargeted)]
        assert moved[-1] == (129,)
