# SPDX-License-Identifier: MIT
"""Two pages: slot select and the selected function."""

from typing import cast

import pytest

from host.address_map import AddressMap
from host.assigned import AssignedFunction
from host.config_window import ConfigWindow
from host.deferral import Deferral, ReadHold
from host.profiles import HYPERV, OPENVMM
from host.vsp.rules import Profile
from protocol.ids import SlotNumber
from protocol.link import ConfigRead, ConfigWritten
from sim.peer.bench_clock import BenchClock

ONES = 0xFFFF_FFFF


class Recorder:
    """A function that records; reads give offset and size."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        return offset << 4 | size

    def write(self, offset: int, size: int, value: int) -> int:
        self.written.append((offset, size, value))
        return 77


class Rig:
    def __init__(self, profile: Profile = HYPERV) -> None:
        self.events: list[object] = []
        self.recorder = Recorder()
        self.functions = {0: cast(AssignedFunction, self.recorder)}
        self.hold = ReadHold()
        self.clock = BenchClock()
        patience_ns = profile.knobs.access_patience_ns
        emit = self.events.append
        self.deferral = Deferral("nvme0", self.clock, emit, self.hold, patience_ns)
        self.window = ConfigWindow("nvme0", self.functions, profile.knobs, emit, self.deferral)


@pytest.mark.wire_note("7.1a")
@pytest.mark.parametrize("profile", [HYPERV, OPENVMM])
def test_a_selected_function_is_read_and_written_and_both_are_told(profile: Profile) -> None:
    rig = Rig(profile)
    rig.window.write_slot(0, 4, 0)
    assert rig.window.read_config(0x10, 4) == 0x104
    assert rig.window.write_config(0x04, 2, 6) == 77
    assert rig.recorder.written == [(4, 2, 6)]
    assert rig.events == [
        ConfigRead("nvme0", SlotNumber(0), 0x10, 4, 0x104),
        ConfigWritten("nvme0", SlotNumber(0), 4, 2, 6),
    ]


@pytest.mark.wire_note("7.4b")
@pytest.mark.parametrize("profile", [HYPERV, OPENVMM])
def test_a_slot_without_a_function_reads_all_ones_and_drops_writes(profile: Profile) -> None:
    rig = Rig(profile)
    rig.window.write_slot(0, 4, 1)
    assert rig.window.read_config(0, 4) == ONES
    assert rig.window.read_config(0, 1) == 0xFF
    assert rig.window.write_config(4, 2, 6) == 0
    assert rig.recorder.written == []


@pytest.mark.wire_note("7.1a", "7.4a")
@pytest.mark.parametrize("profile", [HYPERV, OPENVMM])
@pytest.mark.parametrize(("offset", "size"), [(0, 2), (4, 4), (1, 1)])
def test_only_a_32_bit_write_at_offset_0_selects(profile: Profile, offset: int, size: int) -> None:
    rig = Rig(profile)
    rig.window.write_slot(offset, size, 1)
    assert rig.window.read_config(0, 1) == 1


@pytest.mark.wire_note("7.4a")
def test_the_slot_page_reads_back_or_not_by_profile() -> None:
    hyperv, openvmm = Rig(), Rig(OPENVMM)
    for rig in (hyperv, openvmm):
        rig.window.write_slot(0, 4, 0x21)
    assert hyperv.window.read_slot(0, 4) == 0x21
    assert hyperv.window.read_slot(4, 4) == ONES
    assert openvmm.window.read_slot(0, 4) == ONES


def test_the_last_dword_is_refused_by_openvmm_only() -> None:
    assert Rig().window.read_config(0xFFC, 4) == 0xFFC4
    assert Rig(OPENVMM).window.read_config(0xFFC, 4) == ONES
    assert Rig(OPENVMM).window.read_config(0xFFF, 1) == 0xFF


@pytest.mark.parametrize(("offset", "size"), [(1, 2), (2, 4), (0, 8)])
def test_unaligned_and_long_accesses_are_refused_by_openvmm_only(offset: int, size: int) -> None:
    strict = Rig(OPENVMM)
    assert strict.window.read_config(offset, size) == (1 << 8 * size) - 1
    strict.window.write_config(offset, size, 0)
    assert strict.recorder.written == []
    assert Rig().window.read_config(offset, size) == offset << 4 | size


@pytest.mark.wire_note("7.4c")
@pytest.mark.parametrize("profile", [HYPERV, OPENVMM])
def test_no_access_leaves_the_page(profile: Profile) -> None:
    rig = Rig(profile)
    assert rig.window.read_config(0xFFE, 4) == ONES
    rig.window.write_config(0xFFE, 4, 0)
    assert rig.recorder.written == []


def test_a_window_that_overlaps_another_is_not_mapped_at_all() -> None:
    addresses = AddressMap()
    first, second = Rig().window, Rig().window
    assert first.map(addresses, 0xF800_1000)
    assert not second.map(addresses, 0xF800_1000)
    assert not second.map(addresses, 0xF800_0000)
    assert addresses.routes.keys() == {0xF8001, 0xF8002}
    second.unmap(addresses)
    first.unmap(addresses)
    assert second.map(addresses, 0xF800_0000)


def test_what_a_device_puts_off_is_written_in_the_end_if_it_is_still_there() -> None:
    rig = Rig()
    for still_there in (True, False):
        rig.recorder.written.clear()
        rig.deferral.arm(SlotNumber(0), "write", 1_000)
        assert rig.window.write_config(0x04, 2, 6) > 1_000
        assert rig.recorder.written == []
        if not still_there:
            rig.functions.clear()
        rig.clock.pass_time(1_000)
        assert rig.recorder.written == ([(4, 2, 6)] if still_there else [])


def test_an_empty_slot_puts_nothing_off() -> None:
    rig = Rig()
    rig.deferral.arm(SlotNumber(1), "both", 1_000)
    rig.window.write_slot(0, 4, 1)
    assert (rig.window.read_config(0, 4), rig.hold.take()) == (ONES, 0)
    assert rig.window.write_config(4, 2, 6) == 0
