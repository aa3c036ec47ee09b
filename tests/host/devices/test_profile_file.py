# SPDX-License-Identifier: MIT
"""The JSON form loses nothing, and says what is wrong with it by key."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.devices import PROFILES
from host.devices.capture import load_device
from host.devices.problems import DeviceFileError
from host.devices.profile_file import read_profile, save_profile
from host.devices.sizes import format_size, parse_bar_sizes, parse_size
from tests.captures import captured_profile, each_capture

NVME = save_profile(PROFILES["nvme-ssd"])


@pytest.mark.parametrize("name", PROFILES)
def test_saving_and_loading_loses_nothing(name: str) -> None:
    assert read_profile(save_profile(PROFILES[name]), "x.json") == PROFILES[name]


@each_capture()
def test_an_imported_profile_is_saved_whole(file: Path, tmp_path: Path) -> None:
    profile = captured_profile(file)
    saved = tmp_path / "device.json"
    saved.write_text(save_profile(profile), encoding="utf-8")
    assert load_device(str(saved)).profile == profile
    assert load_device(str(saved), name="other").profile.name == "other"


def test_the_form_is_readable() -> None:
    document = json.loads(NVME)
    assert document["vpcisim-device"] == 1
    assert document["bars"] == [
        {"index": 0, "size_bytes": 16384, "bits": 64, "prefetchable": False}
    ]
    assert document["config"]["000"].startswith("4d 14 0a a8")


def changed(path: str, value: object) -> str:
    document = json.loads(NVME)
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place[parent]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(document)


CASES = [
    ("vpcisim-device", 2, "vpcisim-device: format 2"),
    ("bars", 3, "$.bars: Expected `array`, got `int`"),
    ("bars.0.bits", 33, "BAR 0: no register for 33 address bits"),
    ("bars.0.index", 5, "BAR 5: no register for 64"),
    ("bars.0.size_bytes", 3, "BAR 0: 3 is no power of two"),
    ("bars.0.prefetchable", True, "BAR 0: config holds 0x4 where its type bits are 0xc"),
    ("bars.0.colour", 1, "unknown field `colour`"),
    ("config.000", "xx", "config.000: is not hexadecimal"),
    ("config.000", "00", "config.000: is no row of 16 bytes"),
    ("config.004", "00 " * 16, "config.004: is no row of 16 bytes"),
    ("config.x", "00 " * 16, "config.x: is no row of 16 bytes"),
    ("config.000", "00 " * 16, "config 0x00: vendor id 0x0000"),
    ("blocks.-1", "00", "blocks.-1: is no block id"),
    ("blocks.1", "", "blocks.1: has 0 bytes"),
    ("name", None, "$.name"),
]


@pytest.mark.parametrize(("path", "value", "expected"), CASES)
def test_what_is_wrong_is_named_by_key(path: str, value: object, expected: str) -> None:
    with pytest.raises(DeviceFileError) as caught:
        read_profile(changed(path, value), "x.json")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("x.json: ")


@given(at=st.integers(0, len(NVME) - 1), letter=st.characters())
def test_a_damaged_file_gives_a_profile_or_one_line(at: int, letter: str) -> None:
    said = "nothing"
    try:
        read_profile(NVME[:at] + letter + NVME[at + 1 :], "x.json")
    except DeviceFileError as error:
        said = str(error)
    assert "\n" not in said


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DeviceFileError, match="cannot be read: No such file"):
        load_device(str(tmp_path / "none"))
    with pytest.raises(DeviceFileError, match="cannot be read"):
        load_device(str(tmp_path))
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(DeviceFileError, match="no line names a PCI device"):
        load_device(str(noise))


def test_a_device_of_several_is_named_after_a_hash_sign(tmp_path: Path) -> None:
    zeros = "".join(f"{at:02x}:" + " 00" * 16 + "\n" for at in range(16, 256, 16))
    rows = "00: 86 80" + " 00" * 14 + "\n" + zeros
    both = tmp_path / "both.txt"
    both.write_text("".join(f"0{bus}:00.0 x\n{rows}" for bus in (1, 2)), encoding="utf-8")
    assert load_device(f"{both}#02:00.0").profile.identity.v_id == 0x8086
    with pytest.raises(DeviceFileError, match=r"device 03:00\.0: not in the capture"):
        load_device(f"{both}#03:00.0")


@given(size=st.integers(0, 1 << 60))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_sizes_on_the_command_line() -> None:
    assert parse_bar_sizes(["0=32K", "2=128g", "5=4096"]) == {0: 32 << 10, 2: 128 << 30, 5: 4096}
    assert parse_bar_sizes([]) == {}


@pytest.mark.parametrize("option", ["", "1", "6=4K", "x=4K", "1=4Q", "1=3K", "1=8", "1=", "²=4K"])
def test_a_size_option_that_is_wrong_is_named(option: str) -> None:
    with pytest.raises(DeviceFileError, match=r"^--bar-size: "):
        parse_bar_sizes([option])


def test_one_bar_has_one_size() -> None:
    with pytest.raises(DeviceFileError, match="given twice"):
        parse_bar_sizes(["1=4K", "1=8K"])
