# SPDX-License-Identifier: MIT
"""The built-in profiles are devices, and the ones that were promised."""

import pytest

from host.devices import PROFILES
from host.devices.check import check_profile
from host.devices.problems import DeviceFileError
from host.devices.profile import DeviceProfile
from host.devices.rows import endpoint, placed, placed_msi, placed_msix
from protocol.pci_cap_rows import POWER_MANAGEMENT, SERIAL_NUMBER
from protocol.pci_regs import Bar


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_could_be_a_function(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    check_profile(profile, name)


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_with_room_has_a_doorbell_per_vector(name: str) -> None:
    profile = PROFILES[name]
    vectors = profile.msix.vectors if profile.msix else profile.msi_vectors
    assert len(profile.doorbells) == (vectors if profile.bars else 0)


def test_the_gpu_has_the_bars_that_make_mapping_slow() -> None:
    assert PROFILES["gpu"].bars == (
        Bar(0, 16 << 20, 32, prefetchable=False),
        Bar(1, 128 << 30, 64, prefetchable=True),
        Bar(3, 32 << 20, 64, prefetchable=True),
    )


def test_each_profile_is_the_case_it_is_named_for() -> None:
    assert PROFILES["nvme-ssd"].identity[4:6] == (0x08, 0x01)
    assert PROFILES["nic-vf"].blocks
    assert PROFILES["no-bars"].bars == ()
    assert PROFILES["no-bars"].msi_vectors == 1
    assert (PROFILES["multi-msi"].msi_vectors, PROFILES["multi-msi"].msix) == (32, None)
    assert {bar.bits for bar in PROFILES["bars-32"].bars} == {32}


def test_profiles_are_equal_by_content_and_hashable() -> None:
    profile = PROFILES["nic-vf"]
    again = DeviceProfile(profile.name, profile.config, profile.bars, profile.blocks)
    assert (again, hash(again)) == (profile, hash(profile))


def test_capabilities_may_not_overlap() -> None:
    with pytest.raises(AssertionError, match="0x44 is taken"):
        endpoint(
            "overlap",
            PROFILES["gpu"].identity,
            bars=(),
            capabilities=(
                placed_msi(0x42, vectors=1),
                placed(POWER_MANAGEMENT, 0x40, capabilities=3, control=8),
            ),
        )


def test_the_extended_chain_begins_at_its_first_byte() -> None:
    with pytest.raises(AssertionError, match="starts there"):
        endpoint(
            "late",
            PROFILES["gpu"].identity,
            bars=(),
            capabilities=(placed(SERIAL_NUMBER, 0x140, serial_low=1),),
        )


def test_a_table_beyond_its_bar_is_no_device() -> None:
    profile = endpoint(
        "long",
        PROFILES["gpu"].identity,
        bars=(Bar(0, 4096, 32, prefetchable=False),),
        capabilities=(placed_msix(0x40, vectors=256, table=(0, 0x800), pba=(0, 0)),),
    )
    with pytest.raises(DeviceFileError, match="BAR 0 of 4K ends before its table at 0x1800"):
        check_profile(profile, "long")
