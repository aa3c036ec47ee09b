# SPDX-License-Identifier: MIT
"""What is printed can be imported again, and the real lspci decodes it as the capture."""

import re
from pathlib import Path

import pytest

from host.devices import PROFILES
from host.devices.importing import import_capture
from host.devices.profile import DeviceProfile
from host.function import Function
from protocol.pci_regs import PCI_INTERRUPT_PIN, Bar
from sim.report.lspci import PciAddress, SeenBar, SeenFunction, print_function, print_functions
from tests.captures import captured_profile, each_capture
from tests.sim.report.guest_view import bound, seen_by_guest
from tests.sim.report.real_lspci import compared, decode, needs_lspci


def imported(text: str, profile: DeviceProfile) -> DeviceProfile:
    return import_capture(text, "print.txt", name=profile.name).profile


def as_seen(profile: DeviceProfile) -> DeviceProfile:
    # Blocks are no part of configuration space, and a guest sees no interrupt pin.
    config = bytearray(profile.config)
    config[PCI_INTERRUPT_PIN] = 0
    return DeviceProfile(profile.name, bytes(config), profile.bars)


@pytest.mark.parametrize("name", PROFILES)
def test_a_printed_profile_imports_as_itself(name: str) -> None:
    profile = PROFILES[name]
    fresh = print_function(seen_by_guest(Function(profile)))
    assert imported(fresh, profile) == as_seen(profile)


@pytest.mark.parametrize("name", PROFILES)
def test_a_device_in_use_imports_as_its_profile(name: str) -> None:
    profile = PROFILES[name]
    assert imported(print_function(bound(Function(profile))), profile) == as_seen(profile)


@needs_lspci
@pytest.mark.parametrize("name", PROFILES)
def test_the_real_lspci_decodes_a_printed_profile(name: str, tmp_path: Path) -> None:
    seen = bound(Function(PROFILES[name]))
    text = decode(print_function(seen), tmp_path)
    identity = PROFILES[name].identity
    assert f"{identity.v_id:04x}:{identity.d_id:04x}" in text
    assert text.count("Capabilities: [") == print_function(seen).count("Capabilities: [")
    assert "<chain" not in text
    for bar in seen.bars:
        kind = f"{bar.bar.bits}-bit, {'' if bar.bar.prefetchable else 'non-'}prefetchable"
        assert f"\tRegion {bar.bar.index}: Memory at {bar.start:x} ({kind})" in text


@needs_lspci
@each_capture()
def test_the_real_lspci_decodes_a_capture_and_what_the_guest_sees_alike(
    file: Path, tmp_path: Path
) -> None:
    profile = captured_profile(file)
    original = decode(file.read_text(encoding="utf-8"), tmp_path)
    printed = decode(print_function(bound(Function(profile))), tmp_path)
    theirs, ours = compared(original, printed)
    assert len(theirs) > 5
    assert ours == theirs


@each_capture()
def test_a_captured_device_prints_and_imports_as_itself(file: Path) -> None:
    profile = captured_profile(file)
    assert imported(print_function(bound(Function(profile))), profile) == profile


def test_the_text_names_device_resources_and_capabilities() -> None:
    lines = print_function(bound(Function(PROFILES["gpu"]))).splitlines()
    assert lines[0] == "b0e1:00:00.0 3D controller [0302]: Device [10de:20b5] (rev a1)"
    assert "\tSubsystem: Device [10de:1533]" in lines
    assert "\tRegion 1: Memory at 2000000000 (64-bit, prefetchable) [size=128G]" in lines
    assert "\tCapabilities: [c8] MSI-X: Enable+ Count=6 Masked-" in lines
    assert "\tCapabilities: [bb0 v1] Physical Resizable BAR" in lines
    assert lines[-1].startswith("ff0: ")


def test_a_bar_without_address_or_decoding_says_so() -> None:
    text = print_function(seen_by_guest(Function(PROFILES["bars-32"])))
    assert "Region 0: Memory at <unassigned> (32-bit, non-prefetchable) [disabled]" in text


def test_a_device_that_is_gone_is_still_printed() -> None:
    bar = SeenBar(Bar(0, 4096, 32, prefetchable=False), 0)
    text = print_function(SeenFunction(PciAddress(1, 0, 0, 0), (bar,), b"\xff" * 4096))
    assert text.startswith("0001:00:00.0 Class [ffff]: Device [ffff:ffff] (rev ff)")
    broken = bytearray(4096)
    broken[0x06], broken[0x34], broken[0x40:0x42] = 0x10, 0x40, b"\x01\x40"
    text = print_function(SeenFunction(PciAddress(1, 0, 0, 0), (), bytes(broken)))
    assert "<chain broken>" in text


@needs_lspci
def test_several_functions_are_printed_as_one_listing(tmp_path: Path) -> None:
    seen = [
        bound(Function(profile))._replace(address=PciAddress(0x1000 + number, 0, 0, 0))
        for number, profile in enumerate(PROFILES.values())
    ]
    text = print_functions(seen)
    titles = [line for line in decode(text, tmp_path).splitlines() if re.match(r"\S", line)]
    assert [title.split()[0] for title in titles] == [str(one.address) for one in seen]
    chosen = import_capture(text, "all.txt", name="gpu", address="1002:00:00.0").profile
    assert chosen == PROFILES["gpu"]
