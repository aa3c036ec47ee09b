# SPDX-License-Identifier: MIT
"""A device goes into a whole world and comes out of the guest as it went in, under a mask."""

from pathlib import Path

import pytest

from host.devices import PROFILES
from host.devices.importing import import_capture
from host.devices.profile import DeviceProfile
from sim.pci_view import guest_view
from sim.report.lspci import SeenFunction, print_function
from sim.scenario_reader import load_scenario
from sim.world import World
from tests.captures import captured_profile, each_capture
from tests.sim.report.real_lspci import decode, masked, needs_lspci


def seen_by_a_guest(profile: DeviceProfile) -> SeenFunction:
    """The function at the end of ``arrival`` with this device in it."""
    world = World(load_scenario("arrival"), load=lambda _: profile)
    assert world.run().violation is None
    (seen,) = guest_view(world)
    return seen


def comes_back(profile: DeviceProfile) -> DeviceProfile:
    """What an import makes of what the guest's view prints."""
    text = print_function(seen_by_a_guest(profile))
    return import_capture(text, "seen.txt", name=profile.name).profile


@pytest.mark.parametrize("name", PROFILES)
def test_a_built_in_device_comes_out_of_the_guest_as_it_went_in(name: str) -> None:
    profile = PROFILES[name]
    # Configuration blocks are no part of configuration space.
    assert comes_back(profile) == DeviceProfile(profile.name, profile.config, profile.bars)


@each_capture()
def test_a_captured_device_comes_out_of_the_guest_as_it_went_in(file: Path) -> None:
    profile = captured_profile(file)
    assert comes_back(profile) == profile


@needs_lspci
@each_capture()
def test_the_real_lspci_decodes_the_guest_s_view_as_it_decodes_the_capture(
    file: Path, tmp_path: Path
) -> None:
    capture = decode(file.read_text(encoding="utf-8"), tmp_path)
    view = decode(print_function(seen_by_a_guest(captured_profile(file))), tmp_path)
    assert masked(view) == masked(capture)


def test_bars_have_the_addresses_the_guest_gave_them() -> None:
    seen = seen_by_a_guest(PROFILES["gpu"])
    assert [(bar.bar.index, bar.bar.size_bytes) for bar in seen.bars] == [
        (0, 16 << 20),
        (1, 128 << 30),
        (3, 32 << 20),
    ]
    assert all(bar.start and bar.start % bar.bar.size_bytes == 0 for bar in seen.bars)


def test_a_device_that_has_left_is_not_seen() -> None:
    world = World(load_scenario("eject-idle"))
    world.run()
    assert guest_view(world) == ()


def test_a_device_the_host_dropped_from_its_list_reads_all_ones() -> None:
    world = World(load_scenario("relations-shrink"))
    world.run()
    kept, dropped = guest_view(world)
    assert kept.config[:4] != b"\xff\xff\xff\xff"
    assert set(dropped.config) == {0xFF}
