# SPDX-License-Identifier: MIT
"""A device goes into a whole world and comes out of the guest as it went in, under a mask."""

import re
from pathlib import Path

import pytest

from host.devices import PROFILES
from host.devices.importing import import_capture
from host.devices.profile import DeviceProfile
from host.devices.profile_file import save_profile
from protocol.pci_regs import PCI_INTERRUPT_PIN
from sim.cli import OK, main
from sim.pci_view import guest_view
from sim.report.lspci import SeenFunction, print_function
from sim.scenario_reader import load_scenario
from sim.world import World
from tests.captures import captured_profile, each_capture
from tests.sim.report.real_lspci import compared, decode, needs_lspci


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
    config = bytearray(profile.config)
    config[PCI_INTERRUPT_PIN] = 0  # the driver answers for the device: Hyper-V has no INTx
    # Configuration blocks are no part of configuration space.
    assert comes_back(profile) == DeviceProfile(profile.name, bytes(config), profile.bars)


@each_capture()
def test_a_captured_device_comes_out_of_the_guest_as_it_went_in(file: Path) -> None:
    profile = captured_profile(file)
    assert comes_back(profile) == profile


@needs_lspci
@each_capture()
def test_the_real_lspci_decodes_a_capture_and_what_vpcisim_lspci_prints_alike(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = captured_profile(file)
    device = tmp_path / f"{file.stem}.json"  # with the sizes that the capture does not tell
    device.write_text(save_profile(profile), encoding="utf-8")
    assert main(["lspci", "arrival", "--device", str(device)]) == OK
    printed = decode(capsys.readouterr().out, tmp_path)
    theirs, ours = compared(decode(file.read_text(encoding="utf-8"), tmp_path), printed)
    assert len(theirs) > 5
    assert ours == theirs
    for bar in profile.bars:
        kind = f"{bar.bits}-bit, {'' if bar.prefetchable else 'non-'}prefetchable"
        assert re.search(
            rf"^\tRegion {bar.index}: Memory at [0-9a-f]+ \({kind}\)$", printed, re.MULTILINE
        )


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
