# SPDX-License-Identifier: MIT
"""Where a bus's windows and BARs lie in address space that is short, cut up or taken."""

from __future__ import annotations

from errno import ENXIO
from pathlib import Path

import pytest
from msgspec.structs import replace

from guest.events import BridgeWindowAllocated, D0Entered
from guest.pci_core.events import BarAssigned
from guest.pci_core.sysfs import devices
from sim.scenario import Scenario
from sim.scenario_reader import load_scenario, parse_scenario
from sim.violation import Leak
from sim.world import World, play

MIB, GIB = 1 << 20, 1 << 30
PAGE = 0x1000

# What the gpu profile needs: 16 MiB below 4 GiB; 128 GiB and 32 MiB above.
LOW = (0xF7FF_E000, 0xF8FF_FFFF)
HIGH = (128 * GIB, 256 * GIB + 32 * MIB - 1)

Range = tuple[int, int]


def gpu_in(*ranges: Range, framebuffer: Range | None = None) -> Scenario:
    """A GPU arrives in a VM with these addresses."""
    mmio = ", ".join(f"[{first:#x}, {last:#x}]" for first, last in ranges)
    kept = f"framebuffer = [{framebuffer[0]:#x}, {framebuffer[1]:#x}]" if framebuffer else ""
    text = f"""
name = "windows"
story = "A GPU arrives."
[guest]
mmio = [{mmio}]
{kept}
[[device]]
name = "gpu0"
profile = "gpu"
[[actor]]
name = "administrator"
steps = [{{ do = "offer", device = "gpu0" }}]
[expect]
known = ["O7", "O28"]
"""
    return parse_scenario(text, source="windows.toml", folder=Path())


def windows_of(scenario: Scenario) -> dict[str, Range]:
    """First and last address of each window; ``config`` is the configuration window's."""
    events = [stamped.event for stamped in play(scenario).trace]
    found = {
        event.window: (event.start, event.start + event.size_bytes - 1)
        for event in events
        if isinstance(event, BridgeWindowAllocated)
    }
    (gpa,) = (event.window_gpa for event in events if isinstance(event, D0Entered))
    return {**found, "config": (gpa, gpa + 2 * PAGE - 1)}


def errors_of(scenario: Scenario) -> dict[str, int]:
    result = play(scenario)
    assert result.violation is None
    return {error.function: error.errno for error in result.errors}


def test_windows_may_take_the_last_byte_of_what_there_is() -> None:
    assert windows_of(gpu_in(LOW, HIGH)) == {
        "config": (LOW[0], LOW[0] + 2 * PAGE - 1),
        "low": (LOW[0] + 2 * PAGE, LOW[1]),
        "high": HIGH,
    }


def test_a_bar_ends_where_its_window_ends() -> None:
    world = World(gpu_in(LOW, HIGH))
    assert world.run().verdict == "clean"
    bars = [s.event for s in world.trace() if isinstance(s.event, BarAssigned)]
    ends = {event.bar: event.start + event.size_bytes - 1 for event in bars}
    assert ends == {0: LOW[1], 1: 256 * GIB - 1, 3: HIGH[1]}
    (device,) = devices(world.guest.pci)
    assert [end for _, end, _ in device.resources[:4]] == [LOW[1], 256 * GIB - 1, 0, HIGH[1]]


@pytest.mark.parametrize(
    "ranges",
    [
        ((LOW[0], LOW[1] - PAGE), HIGH),
        ((LOW[0] + PAGE, LOW[1]), HIGH),  # the configuration window is in the way
        (LOW, (HIGH[0], HIGH[1] - PAGE)),
        (LOW, (HIGH[0] + PAGE, HIGH[1] + PAGE)),  # not aligned
        (LOW, (HIGH[0], 256 * GIB - 1), (512 * GIB, 512 * GIB + 32 * MIB - 1)),  # in two pieces
        (LOW,),
        (HIGH,),
    ],
)
def test_a_page_less_is_too_little(ranges: tuple[Range, ...]) -> None:
    errors = errors_of(gpu_in(*ranges))
    assert errors == {"hv_pci_allocate_bridge_windows": -ENXIO, "hv_pci_probe": -ENXIO}


def test_without_any_address_not_even_the_configuration_window_is_there() -> None:
    errors = errors_of(gpu_in())
    assert errors == {"hv_allocate_config_window": -ENXIO, "hv_pci_probe": -ENXIO}


@pytest.mark.parametrize(
    ("ranges", "above"),
    [
        (((0xF800_0000, 0xF800_1FFF), HIGH), [False, True]),  # as the scenario has it
        (((0xF800_0000, 0xF800_0FFF), HIGH), [True, True]),
        ((HIGH,), [True, True]),
    ],
)
def test_the_configuration_window_goes_above_4_gib_if_it_must(
    ranges: tuple[Range, ...], above: list[bool]
) -> None:
    scenario = load_scenario("mmio-config-window-high")
    result = play(replace(scenario, guest=replace(scenario.guest, mmio=ranges)))
    entered = [s.event.window_gpa for s in result.trace if isinstance(s.event, D0Entered)]
    assert [gpa >> 32 > 0 for gpa in entered] == above
    assert result.verdict == "clean"


@pytest.mark.parametrize(("arch", "where"), [("x86-64", 0xFEC0_1000), ("arm64", 0xFEC0_0000)])
def test_a_window_passes_by_what_the_architecture_has_there(arch: str, where: int) -> None:
    scenario = gpu_in((0xFEC0_0000, 0xFEC0_FFFF), HIGH)
    scenario = replace(scenario, guest=replace(scenario.guest, arch=arch))
    entered = [s.event for s in play(scenario).trace if isinstance(s.event, D0Entered)]
    assert [event.window_gpa for event in entered] == [where]


@pytest.mark.parametrize("first", range(0xF800_0000, 0xFB00_0000, 4 * MIB))
def test_no_window_lies_over_the_framebuffer(first: int) -> None:
    framebuffer = (first, first + 8 * MIB - 1)
    found = windows_of(gpu_in((0xF800_0000, 0xFBFF_FFFF), HIGH, framebuffer=framebuffer))
    for start, end in found.values():
        assert end < framebuffer[0] or start > framebuffer[1]


@pytest.mark.parametrize(("named", "known"), [(("O7", "O28"), "O28"), (("O7",), None)])
def test_a_low_window_is_lost_each_time_the_high_one_is_not_found(
    named: tuple[str, ...], known: str | None
) -> None:
    scenario = load_scenario("mmio-high-too-small")
    verdict = World(replace(scenario, expect=replace(scenario.expect, known=named))).run()
    assert Leak("MMIO range", 2, known) in verdict.leaks
    assert (verdict.violation is None) == (known is not None)
