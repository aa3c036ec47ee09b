# SPDX-License-Identifier: MIT
"""Importing captures: where sizes come from, what is dropped, what is said of damage."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.devices.importing import Imported, import_capture
from host.devices.problems import DeviceFileError
from protocol.pci_regs import CONFIG_BYTES, Bar
from tests.captures import UNTOLD, each_capture

IDS = {0x00: "4d 14 0a a8", 0x08: "00 02 08 01"}
MIB = 1 << 20


def config(**values: str) -> bytes:
    """An endpoint's 4 KiB; keys are ``at_`` and a hexadecimal offset, values hexadecimal bytes."""
    image = bytearray(CONFIG_BYTES)
    for offset, text in [*IDS.items(), *((int(k[3:], 16), v) for k, v in values.items())]:
        data = bytes.fromhex(text)
        image[offset : offset + len(data)] = data
    return bytes(image)


def capture(image: bytes, *details: str, title: str = "01:00.0 NVMe", length: int = 4096) -> str:
    rows = (f"{at:02x}: {image[at : at + 16].hex(' ')}" for at in range(0, length, 16))
    return "\n".join((title, *(f"\t{detail}" for detail in details), *rows)) + "\n"


def imported(text: str, **options: object) -> Imported:
    return import_capture(text, "box.txt", **options)  # type: ignore[arg-type]  # tests' keywords


def refusal(text: str, **options: object) -> str:
    with pytest.raises(DeviceFileError) as caught:
        imported(text, **options)
    message = str(caught.value)
    assert message.startswith("box.txt: ")
    assert "\n" not in message
    return message


REGION = "Region 0: Memory at 88400000 (64-bit, non-prefetchable) [size=32K]"
BAR0 = config(at_10="04 00 40 88")

# Resizable BAR at 0x100: two entries, BAR 0 of 2**8 MiB and BAR 2 of 2**1 MiB.
REBAR = "15 00 01 00 f0 ff 00 00 40 08 00 00 f0 ff 00 00 02 01 00 00"
# Enhanced Allocation at 0x40: BAR 0 of 1 GiB and, disabled, BAR 2; 64-bit base, 32-bit span.
EA = "14 00 02 00 03 00 ff 80 02 00 00 40 fc ff ff 3f 30 84 00 00 23 00 ff 00 02 00 00 00"


def test_a_size_in_the_text_wins() -> None:
    image = config(at_10="0c 00 00 e0", at_100=REBAR)
    text = capture(image, "Region 0: Memory at e0000000 (64-bit, prefetchable) [size=64M]")
    assert imported(text, bar_sizes={}).profile.bars == (Bar(0, 64 * MIB, 64, prefetchable=True),)


def test_then_the_resizable_bar_capability_counts() -> None:
    image = config(at_10="0c 00 00 e0", at_18="00 00 00 f0", at_100=REBAR)
    assert imported(capture(image)).profile.bars == (
        Bar(0, 256 * MIB, 64, prefetchable=True),
        Bar(2, 2 * MIB, 32, prefetchable=False),
    )


def test_then_enhanced_allocation_counts() -> None:
    image = config(at_06="10 00", at_34="40", at_40=EA)
    assert imported(capture(image)).profile.bars == (Bar(0, 1 << 30, 64, prefetchable=False),)


def test_then_the_user_is_asked_and_heard() -> None:
    image = config(at_10="04 00 40 88", at_18="00 00 40 f8")
    message = refusal(capture(image))
    assert "add --bar-size 0=SIZE --bar-size 2=SIZE" in message
    given_sizes = {0: 32 << 10, 2: 4 * MIB}
    assert [
        bar.size_bytes for bar in imported(capture(image), bar_sizes=given_sizes).profile.bars
    ] == [
        32 << 10,
        4 * MIB,
    ]


def test_a_size_that_was_not_needed_is_noted_and_one_for_no_bar_refused() -> None:
    result = imported(capture(BAR0, REGION), bar_sizes={0: 16 << 10})
    assert result.profile.bars[0].size_bytes == 32 << 10
    assert "--bar-size was not needed" in result.notes[0]
    assert "--bar-size 3: the device has no memory BAR 3" in refusal(
        capture(BAR0, REGION), bar_sizes={3: 4096}
    )


def test_an_io_bar_is_dropped_with_a_note() -> None:
    image = config(at_10="04 00 40 88", at_18="21 10 00 00")
    result = imported(capture(image, REGION, "Region 2: I/O ports at 1020 [size=32]"))
    assert [bar.index for bar in result.profile.bars] == [0]
    assert result.profile.config[0x18:0x1C] == bytes(4)
    assert result.notes == ("BAR 2 is an I/O BAR and was dropped: Hyper-V assigns no I/O ports",)


def test_a_virtual_functions_bars_and_ids_come_from_the_text() -> None:
    image = b"\xff\xff\xff\xff" + config()[4:]
    text = capture(
        image,
        "Region 0: [virtual] Memory at 1fe0000000 (64-bit, prefetchable) [size=1M]",
        "Capabilities: [100 v1] Single Root I/O Virtualization (SR-IOV)",
        "\tRegion 2: Memory at 0000000088408000 (64-bit, non-prefetchable)",
        title="01:00.2 Ethernet controller [0200]: Mellanox [15b3:1018]",
    )
    profile = imported(text).profile
    assert profile.bars == (Bar(0, MIB, 64, prefetchable=True),)
    assert (profile.identity.v_id, profile.identity.d_id) == (0x15B3, 0x1018)


def test_what_the_capturing_system_had_set_is_cleared() -> None:
    image = config(
        at_04="06 04 18 28",
        at_10="04 00 40 88",
        at_30="01 00 80 c7",
        at_34="40",
        at_3c="0b 01",
        at_40="05 60 b7 01 00 f0 e0 fe 01 00 00 00 42 40 00 00 01 00 00 00 02",
        at_60="11 00 80 c0 00 20 00 00 00 30",
    )
    profile = imported(capture(image, REGION)).profile
    assert profile.word(0x04, 4) == 0x0010_0000  # the capability list stays
    assert profile.word(0x10, 4) == 0x4
    assert (profile.word(0x30, 4), profile.word(0x3C, 2)) == (0, 0)
    assert profile.config[0x40:0x58] == bytes.fromhex("05 60 86 01").ljust(24, b"\0")
    assert profile.config[0x60:0x6A] == bytes.fromhex("11 00 80 00 00 20 00 00 00 30")
    assert profile.msix is not None
    assert (profile.msix.vectors, profile.msi_vectors) == (129, 8)


def test_a_dump_without_extended_space_is_noted_where_there_would_be_one() -> None:
    image = config(at_06="10", at_10="04 00 40 88", at_34="40", at_40="10 00 02 00")
    result = imported(capture(image, REGION, length=256))
    assert "no extended configuration space" in result.notes[0]
    assert imported(capture(BAR0, REGION, length=256)).notes == ()


def test_the_name_is_given_or_the_files() -> None:
    assert imported(capture(BAR0, REGION)).profile.name == "box"
    assert imported(capture(BAR0, REGION), name="disk").profile.name == "disk"


def test_line_ends_and_upper_case_do_not_matter() -> None:
    text = capture(BAR0, REGION)
    rows = (
        text.replace("88\n", "88\n").upper().replace("REGION 0: MEMORY AT", "Region 0: Memory at")
    )
    rows = rows.replace("[SIZE=", "[size=").replace(
        "64-BIT, NON-PREFETCHABLE", "64-bit, non-prefetchable"
    )
    assert imported(rows.replace("\n", "\r\n")).profile == imported(text).profile


def two_devices() -> str:
    other = config(at_00="86 80 d3 10")
    return capture(BAR0, REGION) + "\n" + capture(other, title="0002:03:00.1 Ethernet")


def test_one_of_several_devices_is_chosen_by_address() -> None:
    assert (
        imported(two_devices(), address="2:03:00.1".rjust(12, "0")).profile.identity.v_id == 0x8086
    )
    assert imported(two_devices(), address="0000:01:00.0").profile.identity.v_id == 0x144D
    assert "01:00.0, 0002:03:00.1" in refusal(two_devices())
    assert "choose one, for example box.txt#01:00.0" in refusal(two_devices())
    assert "not in the capture" in refusal(two_devices(), address="09:00.0")


def test_a_device_that_is_there_twice_is_never_the_one_to_choose() -> None:
    twice = "device 01:00.0: stands in the capture more than once; keep one"
    assert twice in refusal(two_devices() * 2, address="01:00.0")
    assert twice in refusal(two_devices() * 2)
    assert twice in refusal((capture(BAR0, REGION) + "\n") * 2)
    both = capture(BAR0, REGION) + "\n" + two_devices()
    assert "choose one, for example box.txt#0002:03:00.1" in refusal(both)


def test_a_long_list_of_devices_is_cut() -> None:
    many = "".join(f"{bus:02x}:00.0 x\n" for bus in range(20))
    assert "0b:00.0 and 8 more" in refusal(many)


LOOPING = config(at_06="10", at_34="40", at_40="01 40")
BAD_MSIX = config(at_06="10", at_34="40", at_40="11 00 00 00 02")
ROW = " ".join(["00"] * 16)
WIDE_LAST = "Region 5: Memory at e0000000 (64-bit, non-prefetchable) [size=32K]"
CASES = [
    ("nothing here\n", "line 1: no line names a PCI device"),
    (f"00: {ROW}\n", "line 1: a hex dump before any device"),
    ("01:00.0 x\n", "has no hex dump"),
    ("01:00.0 x\n00: 86 8\n", "line 2: is no whole line of a hex dump"),
    ("01:00.0 x\n00: 86 80\n", "line 2: 2 bytes at 0x0 where lspci prints 16"),
    (capture(BAR0, REGION) + f"10: {ROW}\n", "the bytes at 0x10 come twice"),
    (re.sub("(?m)^20: .*\n", "", capture(BAR0, REGION)), "the hex dump lacks the bytes at 0x20"),
    (capture(BAR0, REGION, length=64), "the hex dump ends after 64 bytes; as root, capture"),
    (capture(BAR0, "Region 7: Memory at 0 [size=1K]"), "region 7 is not understood"),
    (capture(BAR0, REGION.replace("32K", "3X")), "line 2: region 0 is not understood"),
    (capture(BAR0, REGION.replace("32K]", "32")), "line 2: region 0 is not understood"),
    (capture(BAR0, REGION.replace("32K", "24K")), "line 2: BAR 0: 24K is no power of two"),
    (capture(BAR0, REGION.replace("32K", "8M")), "line 2: BAR 0: address 0x88400000 is no mul"),
    (capture(config(at_10="08"), REGION.replace("32K", "4G")), "4G does not fit a 32-bit BAR"),
    (capture(config(at_24="04 00 00 e0"), WIDE_LAST), "BAR 5: no register for 64 address bits"),
    (capture(b"\xff" * 4096), "config 0x00: vendor id 0xffff is no device's"),
    (capture(config(at_0e="01")), "config 0x0e: header type 1 is a PCI bridge"),
    (capture(LOOPING), "config 0x40: the capability chain loops"),
    (capture(config(at_100="01 00 01 10")), "config 0x100: the capability chain loops"),
    (capture(BAD_MSIX), "MSI-X: BAR 2, where its table should be, is no memory BAR"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[expected for _, expected in CASES])
def test_damage_is_named_in_one_line(text: str, expected: str) -> None:
    assert expected in refusal(text)


def test_an_enhanced_size_that_is_no_power_of_two_is_rounded_up() -> None:
    image = config(at_06="10 00", at_34="40", at_40=EA.replace("fc ff ff 3f", "fc ff ff 2f"))
    result = imported(capture(image))
    assert result.profile.bars[0].size_bytes == 1 << 30
    assert "rounded up to 1G" in result.notes[0]


def test_enhanced_allocation_that_is_cut_off_is_left_out() -> None:
    image = config(at_06="10 00", at_34="f0", at_f0="14 00 3f 00 07 00 ff 80 02 00 00 40")
    assert imported(capture(image)).profile.bars == ()


damage = st.lists(
    st.tuples(
        st.sampled_from(("cut", "flip", "double", "swap")),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 400),
        st.characters(codec="latin-1"),
    ),
    min_size=1,
    max_size=6,
)


def damaged(text: str, steps: list[tuple[str, float, int, str]]) -> str:
    for kind, where, length, letter in steps:
        at = int(where * len(text))
        piece = text[at : at + length]
        replacement = {"cut": "", "flip": letter, "double": piece * 2, "swap": piece[::-1]}[kind]
        text = text[:at] + replacement + text[at + (1 if kind == "flip" else length) :]
    return text


def import_or_refuse(text: str, file: str) -> None:
    said = file
    try:
        import_capture(text, file, bar_sizes=UNTOLD.get(file))
    except DeviceFileError as error:
        said = str(error)
    assert said.startswith(file)
    assert "\n" not in said


@given(steps=damage)
def test_a_damaged_capture_gives_a_profile_or_one_line(
    steps: list[tuple[str, float, int, str]],
) -> None:
    image = config(
        at_06="10", at_10="04 00 40 88", at_34="40", at_100=REBAR,
        at_40="05 60 86 01", at_60="11 70 80 80 00 20 00 00 00 30", at_70=EA,
    )  # fmt: skip
    import_or_refuse(damaged(capture(image, REGION), steps), "box.txt")


@given(bytes_at=st.dictionaries(st.integers(0, 0x140), st.integers(0, 255), max_size=30))
def test_damaged_bytes_give_a_profile_or_one_line(bytes_at: dict[int, int]) -> None:
    image = bytearray(config(at_06="10", at_10="04 00 40 88", at_34="40", at_40=EA, at_100=REBAR))
    for offset, value in bytes_at.items():
        image[offset] = value
    import_or_refuse(capture(bytes(image), REGION), "box.txt")


@each_capture()
@given(steps=damage)
def test_a_damaged_real_capture_gives_a_profile_or_one_line(
    file: Path, steps: list[tuple[str, float, int, str]]
) -> None:
    import_or_refuse(damaged(file.read_text(encoding="utf-8"), steps), file.name)


REAL = {
    "cap-ea-1.txt": [(0, 1 << 30, 64), (4, MIB, 64)],
    "cap-pcie-2.txt": [(0, 128 << 10, 32), (1, 4 * MIB, 32), (3, 16 << 10, 32)],
    "cap-phy32.txt": [(0, 32 << 10, 64)],
    "cap-rebar.txt": [(0, 256 * MIB, 64), (2, 2 * MIB, 64), (5, 256 << 10, 32)],
}


@each_capture()
def test_real_captures_have_the_bars_they_show(file: Path) -> None:
    if file.name not in REAL:
        pytest.skip(f"nobody has said here which BARs the device of {file.name} has")
    text = file.read_text(encoding="utf-8")
    bars = import_capture(text, file.name, bar_sizes=UNTOLD.get(file.name)).profile.bars
    assert [(bar.index, bar.size_bytes, bar.bits) for bar in bars] == REAL[file.name]
