# SPDX-License-Identifier: MIT
"""The slot page of the configuration window: which function the guest has before it."""

from __future__ import annotations

from typing import Final

from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import CONFIG_PAGE, ONES, WINDOW, HostBench
from sim.conformance.host_device import address_in, first_bar, program

EMPTY_SLOT: Final = 5


def empty_slot_is_ones(host: HostBench) -> None:
    host.powered()
    expect("what reads of an empty slot give", host.read_config(0, wslot=EMPTY_SLOT), ONES)


def empty_slot_drops(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base)
    with reaching("a programmed BAR"):
        expect("the BAR", address_in(host, bar), bar.base)
    host.write_config(bar.register, ONES, wslot=EMPTY_SLOT)
    expect("the BAR", address_in(host, bar), bar.base)


def slot_selects(host: HostBench) -> None:
    host.ready()
    listed = host.functions()
    with reaching("functions in slots of their own"):
        slots = {function.win_slot for function in listed}
        expect("the number of slots", len(slots), len(listed))
    host.entered()
    for function in listed:
        found = host.read_config(0, wslot=function.win_slot)
        expect("vendor and device", found, function.v_id | function.d_id << 16)


def slot_page_unreadable(host: HostBench) -> None:
    host.powered()
    host.host.mmio_write(WINDOW, 4, 0)
    expect("the slot page", host.host.mmio_read(WINDOW, 4), ONES)


def slot_page_seen(host: HostBench) -> None:
    host.powered()
    host.host.mmio_write(WINDOW, 4, 0)
    raise Nonconforming(f"the slot page reads {host.host.mmio_read(WINDOW, 4):#x}")


def slot_is_a_dword(host: HostBench) -> None:
    host.powered()
    with reaching("configuration space"):
        expect("whether slot 0 answers", host.read_config(0) != ONES, True)
    host.host.mmio_write(WINDOW, 2, EMPTY_SLOT)
    host.host.mmio_write(WINDOW + 4, 4, EMPTY_SLOT)
    expect("whether slot 0 answers", host.host.mmio_read(WINDOW + CONFIG_PAGE, 4) != ONES, True)


def slot_kept(host: HostBench) -> None:
    host.powered()
    host.host.mmio_write(WINDOW, 4, EMPTY_SLOT)
    host.left()
    host.entered()
    found = host.host.mmio_read(WINDOW + CONFIG_PAGE, 4)
    expect("what the slot selected before gives", found, ONES)


IN_D0: Final = "A bus in D0"
PROGRAMMED: Final = "A function whose BAR is programmed"
WINDOW_RS: Final = "OpenVMM bus.rs, VpciBusDevice"

CASES: Final = (
    HostCase(
        id="empty-slot-reads-ones",
        strength="must",
        given=IN_D0,
        when="the guest selects a slot that has no function and reads",
        then="it gets all ones",
        source="OpenVMM test verify_nonzero_slot",
        check=empty_slot_is_ones,
    ),
    HostCase(
        id="empty-slot-drops-writes",
        strength="must",
        given=PROGRAMMED,
        when="the guest selects a slot that has no function and writes there",
        then="no function's register changes",
        source="OpenVMM test verify_nonzero_slot",
        check=empty_slot_drops,
    ),
    HostCase(
        id="slot-selects-function",
        strength="must",
        given="A bus with several functions in D0",
        when="the guest selects one after the other",
        then="each shows its own ids",
        source="pci-hyperv.c _hv_pcifront_read_config()",
        bus="two",
        check=slot_selects,
    ),
    HostCase(
        id="slot-page-unreadable",
        strength="openvmm",
        given=IN_D0,
        when="the guest reads the slot page",
        then="it gets all ones",
        source=WINDOW_RS,
        versions=FROM_1_2,
        check=slot_page_unreadable,
    ),
    HostCase(
        id="slot-page-read",
        strength="unknown",
        given=IN_D0,
        when="the guest reads the slot page",
        then="it is not established what it gets; Linux does not read it",
        source=UNSOURCED,
        check=slot_page_seen,
    ),
    HostCase(
        id="slot-is-one-dword",
        strength="openvmm",
        given="A bus in D0 with slot 0 selected",
        when="the guest writes two bytes into the slot page, or elsewhere than at its start",
        then="slot 0 stays selected",
        source=WINDOW_RS,
        versions=FROM_1_2,
        check=slot_is_a_dword,
    ),
    HostCase(
        id="slot-outlives-d0",
        strength="openvmm",
        given="A bus in D0 with an empty slot selected",
        when="the guest leaves D0 and enters it again",
        then="that slot is still selected",
        source=WINDOW_RS,
        versions=FROM_1_2,
        check=slot_kept,
    ),
)
