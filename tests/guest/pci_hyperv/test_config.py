# SPDX-License-Identifier: MIT
"""Configuration space: what is answered on the spot, what goes through the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from guest.kernel import ops
from guest.kernel.faults import Uninitialised
from guest.pci_core.types import PCIBIOS_DEVICE_NOT_FOUND
from guest.pci_hyperv.config import BUS_END
from host.devices.nvme_ssd import NVME_SSD
from protocol.hypercall import (
    HV_STATUS_ACCESS_DENIED,
    HVCALL_MMIO_WRITE,
    HypercallResult,
    call_code,
)
from protocol.ids import Devfn, VpIndex
from sim.choices import RandomChooser
from tests.guest.pci_hyperv.story import Story

ID = 0x00
COMMAND = 0x04
CLASS = 0x08
SUBSYSTEM = 0x2C
ROM = 0x30
INTERRUPT_LINE = 0x3C
INTERRUPT_PIN = 0x3D
BAR_0 = 0x10


class CountingHostStory(Story):
    """Counts the accesses that reach the host."""

    def watch(self, at_each: Callable[[], None] = lambda: None) -> list[tuple[str, int, int, int]]:
        """From here on: (what, offset in the window, size, value) of each access to the host."""
        told: list[tuple[str, int, int, int]] = []
        host, window = self.host, self.hbus.cfg_addr
        mmio_read, mmio_write = host.mmio_read, host.mmio_write

        def read(gpa: int, size: int) -> int:
            at_each()
            told.append(("read", gpa - window, size, mmio_read(gpa, size)))
            return told[-1][3]

        def write(gpa: int, size: int, value: int) -> int:
            at_each()
            told.append(("write", gpa - window, size, value))
            return mmio_write(gpa, size, value)

        host.mmio_read, host.mmio_write = read, write  # type: ignore[method-assign]  # watched
        return told

    def reads(self, accesses: Sequence[tuple[int, int]], devfn: int = 0) -> list[tuple[int, bool]]:
        """(value, whether the host was asked) of each (where, size)."""
        found = []
        mmio_read = self.host.mmio_read
        asked: list[int] = []

        def spy(gpa: int, size: int) -> int:
            asked.append(gpa)
            return mmio_read(gpa, size)

        self.host.mmio_read = spy  # type: ignore[method-assign]  # the fake's own method, watched

        async def read_all() -> None:
            bus = self.hbus.bridge.bus
            assert bus is not None
            for where, size in accesses:
                asked.clear()
                _, value = await self.driver.hv_pcifront_read_config(bus, Devfn(devfn), where, size)
                found.append((value, bool(asked)))

        self.thread(read_all())
        return found

    def write(self, where: int, size: int, value: int) -> None:
        """One write to function 0."""

        async def write() -> None:
            bus = self.hbus.bridge.bus
            assert bus is not None
            await self.driver.hv_pcifront_write_config(bus, Devfn(0), where, size, value)

        self.thread(write())


@pytest.fixture(params=[False, True], ids=["mmio", "hypercalls"])
def story(request: pytest.FixtureRequest) -> CountingHostStory:
    return CountingHostStory(use_calls=request.param, profiles=(NVME_SSD, NVME_SSD)).arrive()


@pytest.mark.wire_note("7.2a")
def test_ids_class_and_subsystem_come_from_the_relations_list(story: CountingHostStory) -> None:
    identity = story.host.functions[0].profile.identity
    reads = story.reads([(ID, 2), (ID + 2, 2), (CLASS + 3, 1), (SUBSYSTEM, 4), (SUBSYSTEM + 2, 2)])
    assert reads == [
        (identity.v_id, False),
        (identity.d_id, False),
        (identity.base_class, False),
        (identity.subsystem_id, False),
        (identity.subsystem_id >> 16, False),
    ]


@pytest.mark.wire_note("7.2b")
def test_rom_line_and_pin_read_as_zero(story: CountingHostStory) -> None:
    assert story.reads([(ROM, 4), (INTERRUPT_LINE, 1), (INTERRUPT_PIN, 1)]) == [(0, False)] * 3


@pytest.mark.wire_note("7.2e")
@pytest.mark.parametrize("size", [2, 4])
def test_line_and_pin_together_are_asked_of_the_host(story: CountingHostStory, size: int) -> None:
    assert [asked for _, asked in story.reads([(INTERRUPT_LINE, size)])] == [True]


@pytest.mark.wire_note("7.2e")
def test_an_access_across_the_end_of_an_area_is_asked_of_the_host(
    story: CountingHostStory,
) -> None:
    assert [asked for _, asked in story.reads([(ID + 2, 4), (CLASS - 1, 2)])] == [True, True]


def test_the_command_register_is_the_hosts(story: CountingHostStory) -> None:
    story.write(COMMAND, 2, 0x0006)
    assert story.reads([(COMMAND, 2)]) == [(0x0006, True)]


@pytest.mark.wire_note("7.2c")
def test_writes_to_subsystem_and_rom_are_dropped(story: CountingHostStory) -> None:
    told = story.watch()
    logged = len(story.kernel.log_lines)
    for where, size in ((SUBSYSTEM, 4), (SUBSYSTEM + 3, 1), (ROM, 4), (ROM + 2, 2)):
        story.write(where, size, 0)
    assert told == []
    assert len(story.kernel.log_lines) == logged


@pytest.mark.wire_note("7.2d")
@pytest.mark.parametrize(("where", "size"), [(0, 4), (2, 2), (3, 1), (2, 4)])
def test_writes_that_begin_in_the_ids_are_refused_with_a_line_in_the_log(
    story: CountingHostStory, where: int, size: int
) -> None:
    told = story.watch()
    story.write(where, size, 0)
    assert told == []
    assert story.kernel.log_lines[-1][2].startswith("attempt to write beyond")


@pytest.mark.wire_note("7.1a", "7.1b")
def test_each_access_chooses_the_slot_in_the_first_page_and_goes_to_the_second(
    story: CountingHostStory,
) -> None:
    told = story.watch()
    story.write(COMMAND, 2, 6)
    story.reads([(COMMAND, 2), (COMMAND, 2)], devfn=8)
    other, read = ("write", 0, 4, 1), ("read", 0x1004, 2, 0)
    assert told == [("write", 0, 4, 0), ("write", 0x1004, 2, 6), other, read, other, read]


@pytest.mark.wire_note("7.3a", "9.2a")
@pytest.mark.parametrize(("use_calls", "per_access"), [(True, 2), (False, 0)])
def test_only_a_guest_that_is_told_to_makes_both_steps_by_hypercalls(
    use_calls: bool, per_access: int
) -> None:
    story = CountingHostStory(use_calls=use_calls).arrive()
    called: list[int] = []
    hypercall = story.host.hypercall

    def spy(vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        called.append(call_code(control_word))
        return hypercall(vp, control_word, data)

    story.host.hypercall = spy  # type: ignore[method-assign]  # the fake's own method, watched
    story.write(COMMAND, 2, 6)
    assert story.reads([(COMMAND, 2)]) == [(6, True)]
    assert called == [*(0x107,) * per_access, 0x107, 0x106][: 2 * per_access]


def test_the_last_register_of_4_kib_can_be_read_and_the_next_cannot(
    story: CountingHostStory,
) -> None:
    assert story.reads([(0xFFC, 4), (0xFFE, 4)])[1] == (0, False)


def test_a_slot_without_a_function_is_not_found(story: CountingHostStory) -> None:
    async def read() -> None:
        bus = story.hbus.bridge.bus
        assert bus is not None
        ret, _ = await story.driver.hv_pcifront_read_config(bus, Devfn(16), 0, 4)
        assert ret == PCIBIOS_DEVICE_NOT_FOUND

    story.thread(read())


def test_a_device_that_has_gone_reads_all_ones(story: CountingHostStory) -> None:
    story.host.gone = True
    assert story.reads([(BAR_0, 4)]) == [(0xFFFF_FFFF, True)]


class Crowd:
    """Makes every point suspend, as if somebody else could always run."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def busy(self) -> None:
        for _ in range(2_000):
            await ops.point(self.story.kernel, "busy")


def test_an_access_gives_the_same_alone_and_in_a_crowd() -> None:
    accesses = [(0, 4), (COMMAND, 2), (BAR_0, 4), (INTERRUPT_LINE, 2), (0xFFE, 4)]
    alone = CountingHostStory(cpus=2)
    alone.arrive()
    crowded = CountingHostStory(cpus=2, chooser=RandomChooser(1))
    crowded.arrive()
    crowded.kernel.fine = True
    crowded.kernel.spawn_thread("busy", Crowd(crowded).busy(), 1)
    assert crowded.reads(accesses) == alone.reads(accesses)
    assert [hpdev.refs.value for hpdev in crowded.hbus.children] == [2]


@pytest.mark.wire_note("7.1b")
def test_one_lock_is_held_over_both_steps_of_an_access() -> None:
    story = CountingHostStory(cpus=2, chooser=RandomChooser(1)).arrive()
    story.kernel.fine = True
    owners: list[object] = []
    story.watch(lambda: owners.append(story.hbus.config_lock.owner))
    for access in (lambda: story.write(COMMAND, 2, 6), lambda: story.reads([(COMMAND, 2)])):
        story.kernel.spawn_thread("busy", Crowd(story).busy(), 1)
        access()
    assert len(owners) == 4
    assert None not in owners


def test_a_scan_asks_the_slots_with_functions_or_in_a_crowd_every_one() -> None:
    story = CountingHostStory(cpus=2)
    story.arrive()
    bus = story.hbus.bridge.bus
    assert bus is not None
    slots = [story.driver.hv_pcifront_next_slot(bus, devfn) for devfn in (0, 8, 248)]
    assert slots == [0, BUS_END, BUS_END]
    story.kernel.crowded = True
    slots = [story.driver.hv_pcifront_next_slot(bus, devfn) for devfn in (0, 8, 248)]
    assert slots == [0, 8, 248]


@pytest.mark.parametrize("crowd", [False, True])
def test_a_host_that_maps_bars_holds_the_cpu_under_the_lock(crowd: bool) -> None:
    story = CountingHostStory(cpus=2)
    story.arrive()
    mmio_write = story.host.mmio_write

    def slow_write(gpa: int, size: int, value: int) -> int:
        mmio_write(gpa, size, value)
        return 0 if gpa == story.hbus.cfg_addr else 5_000_000

    story.host.mmio_write = slow_write  # type: ignore[method-assign]  # the fake's own, slowed
    if crowd:
        story.kernel.spawn_thread("busy", Crowd(story).busy(), 1)
    before_ns = story.engine.now_ns()
    story.write(COMMAND, 2, 0x0002)
    assert story.engine.now_ns() - before_ns == 5_000_000
    assert story.hbus.config_lock.owner is None
    assert [hpdev.refs.value for hpdev in story.hbus.children] == [2]


def failing_calls() -> CountingHostStory:
    """A confidential VM whose host fails every MMIO hypercall from now on."""
    arrived = CountingHostStory(use_calls=True)
    arrived.arrive()
    arrived.host.mmio_status = HV_STATUS_ACCESS_DENIED
    return arrived


def test_a_failed_call_reads_as_what_the_cores_variable_began_with() -> None:
    story = failing_calls()
    assert story.reads([(COMMAND, 2), (BAR_0, 4)]) == [(0, False), (0, False)]
    assert "MMIO read hypercall error 6" in story.kernel.log_lines[-1][2]


def test_a_failed_call_writes_nothing_and_goes_on() -> None:
    story = failing_calls()
    story.write(COMMAND, 2, 0x0006)
    assert "MMIO write hypercall error 6" in story.kernel.log_lines[-1][2]
    story.host.mmio_status = 0
    assert story.reads([(COMMAND, 2)]) != [(0x0006, True)]


def test_what_a_call_does_not_fill_in_is_what_the_cpus_page_held() -> None:
    story = CountingHostStory(use_calls=True)
    story.arrive()
    hypercall, inputs = story.host.hypercall, list[bytes]()

    def told(vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        inputs.append(data)
        return hypercall(vp, control_word, data)

    story.host.hypercall = told  # type: ignore[method-assign]  # the fake's own method
    for cpu in story.kernel.cpus:
        cpu.input_page[:256] = b"\x5a" * 256
    story.reads([(COMMAND, 2)])
    choose, read = inputs
    assert choose[12:] == b"\x5a" * 4 + bytes(4) + b"\x5a" * 60  # a slot of four bytes
    assert read[12:] == b"\x5a" * 4


def test_a_function_whose_choice_failed_is_not_the_one_that_is_reached() -> None:
    story = CountingHostStory(use_calls=True, profiles=(NVME_SSD, NVME_SSD))
    story.arrive()
    hypercall = story.host.hypercall
    story.host.functions[1].write(0x0C, 1, 0x40)  # cache line size: tells the two apart

    def choosing_fails(vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        if call_code(control_word) == HVCALL_MMIO_WRITE:
            return HypercallResult(HV_STATUS_ACCESS_DENIED)
        return hypercall(vp, control_word, data)

    assert story.reads([(0x0C, 1)], devfn=0) == [(0, True)]
    story.host.hypercall = choosing_fails  # type: ignore[method-assign]  # the fake's own method
    assert story.reads([(0x0C, 1)], devfn=8) == [(0, True)]
    story.host.hypercall = hypercall  # type: ignore[method-assign]  # likewise
    assert story.reads([(0x0C, 1)], devfn=8) == [(0x40, True)]


def test_the_vendor_id_of_a_failed_call_was_never_written() -> None:
    story = failing_calls()
    with pytest.raises(Uninitialised, match="get_vendor_id"):
        story.thread(story.driver.hv_pcifront_get_vendor_id(story.hbus.children.first()))


def test_the_command_of_a_failed_call_is_the_function_befores() -> None:
    story = failing_calls()
    hpdev = story.hbus.children.first()
    commands: list[int] = []

    async def clear(before: int | None) -> None:
        commands.append(await story.driver.clear_memory_decoding(hpdev, before))

    story.thread(clear(0x0407))
    assert commands == [0x0405]
    with pytest.raises(Uninitialised, match="prepopulate_bars"):
        story.thread(clear(None))


def test_a_write_that_maps_bars_holds_the_cpu_either_way(story: CountingHostStory) -> None:
    before_ns = story.engine.now_ns()
    story.host.config_write_ns = 1_000_000
    story.write(COMMAND, 2, 0x0006)
    assert story.engine.now_ns() - before_ns == 1_000_000
