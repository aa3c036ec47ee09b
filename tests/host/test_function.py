# SPDX-License-Identifier: MIT
"""One assigned function: decoding, BAR memory, interrupts, doorbells, blocks, reset."""

import tracemalloc

import pytest

from host.devices import PROFILES
from host.devices.profile import DeviceProfile, Identity
from host.devices.rows import endpoint, placed_msi, placed_msix
from host.function import (
    BarsMapped,
    BarsUnmapped,
    BarWindow,
    Function,
    InterruptsReleased,
    WorkCompleted,
)
from protocol.errors import LocalProtocolError
from protocol.pci_regs import Bar

COMMAND, BAR0, MSI, EXPRESS, MSIX = 0x04, 0x10, 0x50, 0x70, 0xB0  # of nvme-ssd
TABLE, PBA = 0x2000, 0x3000
BASE = 0xF_E000_0000
WINDOW = BarWindow(0, BASE, 16 << 10)


def nvme() -> Function:
    return Function(PROFILES["nvme-ssd"])


def decoding_nvme() -> Function:
    function = nvme()
    function.write(BAR0, 4, BASE & 0xFFFF_FFFF)
    function.write(BAR0 + 4, 4, BASE >> 32)
    assert function.write(COMMAND, 2, 0x6) == BarsMapped((WINDOW,))
    return function


def set_entry(function: Function, index: int, *, data: int, masked: int = 0) -> None:
    entry = TABLE + 16 * index
    for at, value in ((0, 0xFEE0_1000), (4, 0x1), (8, data), (12, masked)):
        function.bar_write(0, entry + at, 4, value)


def msix_nvme() -> Function:
    function = decoding_nvme()
    function.write(MSIX + 2, 2, 0x8000)
    return function


def test_turning_decoding_off_and_on_tells_the_caller_which_windows() -> None:
    function = decoding_nvme()
    assert function.write(COMMAND, 2, 0x4) == BarsUnmapped((WINDOW,))
    assert function.write(COMMAND, 2, 0x4) is None


def test_a_write_over_the_command_register_in_any_size_is_noticed() -> None:
    function = nvme()
    assert function.write(0x02, 4, 0x0006_0000) == BarsMapped(())  # straddles into it
    assert function.write(COMMAND, 1, 0) == BarsUnmapped(())


@pytest.mark.wire_note("7.5b")
def test_bars_stay_where_they_are_while_decoding() -> None:
    function = decoding_nvme()
    assert function.write(BAR0, 4, 0xFFFF_FFFF) is None
    assert function.windows() == (WINDOW,)


@pytest.mark.wire_note("3.4d")
def test_probed_bars_need_no_probing() -> None:
    function = decoding_nvme()
    assert function.probed_bars() == (0xFFFF_C004, 0xFFFF_FFFF, 0, 0, 0, 0)
    assert function.windows() == (WINDOW,)


def test_identity_is_what_the_registers_say() -> None:
    profile = PROFILES["nvme-ssd"]
    function = Function(profile)
    identity = profile.identity
    assert function.read(0, 4) == identity.d_id << 16 | identity.v_id
    assert function.read(8, 4) == 0x0108_0200
    assert function.read(0x2C, 4) == identity.subsystem_id


def test_bar_memory_keeps_what_was_written_in_any_size() -> None:
    function = nvme()
    function.bar_write(0, 0x100, 8, 0x1122_3344_5566_7788)
    function.bar_write(0, 0x103, 2, 0xAABB)
    assert function.bar_read(0, 0x100, 8) == 0x1122_33AA_BB66_7788
    assert function.bar_read(0, 0x104, 1) == 0xAA
    assert function.bar_read(0, 0x3F00, 4) == 0


@pytest.mark.parametrize(
    ("bar", "offset", "size"), [(0, 0x4000, 4), (0, 0x3FFD, 4), (1, 0, 4), (0, 0, 3)]
)
def test_bar_accesses_outside_are_refused(bar: int, offset: int, size: int) -> None:
    with pytest.raises(LocalProtocolError):
        nvme().bar_read(bar, offset, size)


def test_a_doorbell_completes_work_on_its_own_vector() -> None:
    function = nvme()
    assert function.bar_write(0, 0x1000, 4, 1) == WorkCompleted(0)
    assert function.bar_write(0, 0x1000 + 8 * 5, 4, 1) == WorkCompleted(5)
    assert function.bar_write(0, 0x1004, 4, 1) is None  # a completion queue's head
    assert function.bar_write(0, 0x1000 + 8 * 129, 4, 1) is None


def test_msix_entries_come_out_of_reset_masked() -> None:
    function = nvme()
    assert function.bar_read(0, TABLE + 12, 4) == 1
    assert function.bar_read(0, TABLE + 128 * 16 + 12, 4) == 1
    assert function.bar_read(0, TABLE + 129 * 16 + 12, 4) == 0


def test_an_unmasked_msix_vector_sends_its_entry() -> None:
    function = msix_nvme()
    set_entry(function, 3, data=0x4043)
    assert function.raise_interrupt(3) == (0x1_FEE0_1000, 0x4043)


def test_a_masked_vector_is_pending_until_unmasked() -> None:
    function = msix_nvme()
    set_entry(function, 40, data=0x41, masked=1)
    assert function.raise_interrupt(40) is None
    assert function.bar_read(0, PBA + 4, 4) == 1 << 8
    assert function.bar_write(0, TABLE + 40 * 16 + 12, 4, 0) == InterruptsReleased((40,))
    assert function.bar_read(0, PBA + 4, 4) == 0
    assert function.raise_interrupt(40) == (0x1_FEE0_1000, 0x41)


def test_the_function_mask_holds_all_vectors_and_releases_them_together() -> None:
    function = msix_nvme()
    function.write(MSIX + 2, 2, 0xC000)
    for index in (0, 7):
        set_entry(function, index, data=0x40 + index)
        assert function.raise_interrupt(index) is None
    assert function.write(MSIX + 2, 2, 0x8000) == InterruptsReleased((0, 7))


def test_pending_bits_are_read_only() -> None:
    function = msix_nvme()
    function.bar_write(0, PBA, 8, (1 << 64) - 1)
    assert function.bar_read(0, PBA, 8) == 0


def test_without_enable_or_bus_mastering_an_interrupt_is_lost() -> None:
    function = nvme()
    assert function.raise_interrupt(0) is None  # nothing enabled
    function = msix_nvme()
    set_entry(function, 0, data=0x41)
    function.write(COMMAND, 2, 0x2)
    assert function.raise_interrupt(0) is None
    assert function.write(COMMAND, 2, 0x6) is None


def test_a_vector_the_function_does_not_have_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="129"):
        nvme().raise_interrupt(129)


def enabled_msi(granted_log2: int) -> Function:
    function = nvme()
    function.write(COMMAND, 2, 0x4)
    function.write(MSI + 4, 4, 0xFEE0_0000)
    function.write(MSI + 8, 4, 0x2)
    function.write(MSI + 12, 2, 0x4050)
    function.write(MSI + 2, 2, granted_log2 << 4 | 1)
    return function


def test_multi_msi_puts_the_vector_into_the_data() -> None:
    function = enabled_msi(3)
    assert [function.raise_interrupt(index) for index in (0, 5)] == [
        (0x2_FEE0_0000, 0x4050),
        (0x2_FEE0_0000, 0x4055),
    ]


def test_fewer_granted_vectors_are_shared() -> None:
    assert enabled_msi(1).raise_interrupt(6) == (0x2_FEE0_0000, 0x4050)
    assert enabled_msi(0).raise_interrupt(7) == (0x2_FEE0_0000, 0x4050)


def test_a_masked_msi_vector_is_pending_until_unmasked() -> None:
    function = enabled_msi(3)
    function.write(MSI + 16, 4, 0x20)
    assert function.raise_interrupt(5) is None
    assert function.read(MSI + 20, 4) == 0x20
    function.write(MSI + 20, 4, 0)
    assert function.read(MSI + 20, 4) == 0x20  # read-only for software
    assert function.write(MSI + 16, 4, 0) == InterruptsReleased((5,))
    assert function.read(MSI + 20, 4) == 0


def test_msi_without_the_high_address_or_mask_bits() -> None:
    plain = endpoint(
        "plain", PROFILES["nvme-ssd"].identity, bars=(), capabilities=(placed_msi(0x50, vectors=1),)
    )
    config = bytearray(plain.config)
    config[0x53] = 0  # neither per-vector mask
    config[0x52] = 0  # nor 64-bit address
    function = Function(DeviceProfile("plain", bytes(config), ()))
    function.write(COMMAND, 2, 0x4)
    function.write(0x54, 4, 0xFEE0_3000)
    function.write(0x58, 2, 0x33)
    function.write(0x52, 2, 1)
    assert function.raise_interrupt(0) == (0xFEE0_3000, 0x33)


@pytest.mark.parametrize(
    ("offset", "size", "value"), [(0x78, 2, 0x8000), (0x79, 1, 0x80), (0x76, 4, 0x8000_0000)]
)
def test_a_function_level_reset_forgets_all_but_the_slot(
    offset: int, size: int, value: int
) -> None:
    function = decoding_nvme()
    function.mark_multifunction()
    function.bar_write(0, 0, 4, 5)
    assert function.write(offset, size, value) == BarsUnmapped((WINDOW,))
    assert function.windows() == ()
    assert function.bar_read(0, 0, 4) == 0
    assert function.read(0x0E, 1) == 0x80
    assert function.read(EXPRESS + 8, 2) & 0x8000 == 0
    assert function.reset() is None


def test_blocks_are_kept_per_instance() -> None:
    profile = endpoint(
        "vf", Identity(1, 2, 0, 0, 0, 2, 0), bars=(), capabilities=(), blocks={7: b"old"}
    )
    one, other = Function(profile), Function(profile)
    assert one.write_block(7, b"c")
    assert (one.read_block(7), other.read_block(7)) == (b"cld", b"old")
    assert one.read_block(8) is None
    assert not one.write_block(8, b"x")
    assert not one.write_block(7, b"more")
    assert not one.write_block(7, b"")


def test_doorbells_end_where_the_msix_table_begins() -> None:
    msix = placed_msix(0x40, vectors=64, table=(0, 0x1100), pba=(0, 0x1600))
    profile = endpoint(
        "tight",
        Identity(1, 2, 0, 0, 0, 2, 0),
        bars=(Bar(0, 8192, 32, prefetchable=False),),
        capabilities=(msix,),
    )
    assert profile.doorbells == range(0x1000, 0x1100, 8)


def test_a_huge_bar_costs_what_was_touched() -> None:
    profile = endpoint(
        "huge",
        Identity(1, 2, 0, 0, 0, 3, 0),
        bars=(Bar(0, 1 << 40, 64, prefetchable=True),),
        capabilities=(),
    )
    function = Function(profile)
    function.bar_write(0, (1 << 40) - 4, 4, 0xCAFE)
    assert function.bar_read(0, (1 << 40) - 4, 4) == 0xCAFE
    assert len(function.memory[0].words) == 1


def test_an_instance_is_little_more_than_its_four_kilobytes() -> None:
    profile = PROFILES["nvme-ssd"]
    Function(profile)
    tracemalloc.start()
    try:
        kept = [Function(profile) for _ in range(50)]
        per_instance = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert per_instance < 6500
