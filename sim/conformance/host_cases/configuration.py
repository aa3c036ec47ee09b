# SPDX-License-Identifier: MIT
"""The configuration window and the base registers behind it, as a host answers for them."""

from __future__ import annotations

from typing import Final

from protocol.hypercall import HVCALL_MMIO_READ, HvMmioReadInput, control_word
from protocol.pci_regs import PCI_SUBSYSTEM_VENDOR_ID
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import CONFIG_PAGE, WINDOW, HostBench
from sim.conformance.host_device import (
    BAR_FLAG_BITS,
    FoundBar,
    address_in,
    answers,
    expect_answer,
    first_bar,
    program,
    set_command,
    started,
)

EMPTY_SLOT: Final = 5
ONES: Final = 0xFFFF_FFFF
LAST_DWORD: Final = 0xFFC
CLASS: Final = 0x08


def shows_listed_ids(host: HostBench) -> None:
    host.ready()
    listed = host.functions()[0]
    host.entered()
    wslot = listed.win_slot & 0xFF
    ids = listed.v_id | listed.d_id << 16
    kind = listed.rev | listed.prog_intf << 8 | listed.subclass << 16 | listed.base_class << 24
    expect("vendor and device", host.read_config(0, wslot=wslot), ids)
    expect("class and revision", host.read_config(CLASS, wslot=wslot), kind)
    at = PCI_SUBSYSTEM_VENDOR_ID
    expect("the subsystem", host.read_config(at, wslot=wslot), listed.subsystem_id)


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


def narrow_reads(host: HostBench) -> None:
    host.powered()
    dword = host.read_config(CLASS)
    words = host.read_config(CLASS, 2) | host.read_config(CLASS + 2, 2) << 16
    expect("two words", words, dword)
    octets = (host.read_config(CLASS + at, 1) << 8 * at for at in range(4))
    expect("four bytes", sum(octets), dword)


def bar_kept(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base)
    expect("the BAR", address_in(host, bar), bar.base)


def bar_sized(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base + bar.size_bytes // 2)
    below = address_in(host, bar) & (bar.size_bytes - 1)
    expect("the address's bits below the BAR's size", below, 0)


def bar_answers(host: HostBench) -> None:
    host.assigned()
    bar = started(host)
    expect_answer(host, bar)


def bar_silent(host: HostBench) -> None:
    host.assigned()
    bar = started(host)
    set_command(host, 0)
    expect("whether the BAR answers", answers(host, bar), False)


def _moved_while_decoding(host: HostBench) -> FoundBar:
    host.assigned()
    bar = started(host)
    program(host, bar, 2 * bar.base)
    return bar


def bar_fixed(host: HostBench) -> None:
    bar = _moved_while_decoding(host)
    expect("the BAR", address_in(host, bar), bar.base)


def odd_word(host: HostBench) -> None:
    host.powered()
    expect("a word at an odd offset", host.read_config(CLASS + 1, 2), 0xFFFF)
    expect("eight bytes", host.read_config(CLASS, 8), (1 << 64) - 1)


def odd_write(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base)
    with reaching("a programmed BAR"):
        expect("the BAR", address_in(host, bar), bar.base)
    host.write_config(bar.register + 1, 0, 2)
    host.write_config(bar.register, 0, 8)
    expect("the BAR", address_in(host, bar), bar.base)


def odd_word_seen(host: HostBench) -> None:
    host.powered()
    raise Nonconforming(f"a word at an odd offset reads {host.read_config(CLASS + 1, 2):#x}")


def last_dword(host: HostBench) -> None:
    host.powered()
    if host.read_config(LAST_DWORD) == ONES:
        raise Nonconforming("the last dword reads all ones")


def last_dword_refused(host: HostBench) -> None:
    host.powered()
    expect("the last dword", host.read_config(LAST_DWORD), ONES)
    expect("the last byte", host.read_config(0xFFF, 1), 0xFF)


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


def by_hypercall(host: HostBench) -> None:
    host.powered()
    expected = host.read_config(0)
    call = HvMmioReadInput(WINDOW + CONFIG_PAGE, 4)
    result = host.host.hypercall(control_word(HVCALL_MMIO_READ), call.build())
    expect("the hypercall's status", result.status, 0)
    expect("what it reads", int.from_bytes(result.output[:4], "little"), expected)


def flags_kept(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, 0)
    before = host.read_config(bar.register) & BAR_FLAG_BITS
    program(host, bar, bar.base | BAR_FLAG_BITS)
    expect("the BAR's type bits", host.read_config(bar.register) & BAR_FLAG_BITS, before)


IN_D0: Final = "A bus in D0"
PROGRAMMED: Final = "A function whose BAR is programmed"
DECODES: Final = "A function that decodes memory"
WINDOW_RS: Final = "OpenVMM bus.rs, VpciBusDevice"

CASES: Final = (
    HostCase(
        id="window-shows-listed-ids",
        strength="must",
        given=IN_D0,
        when="the guest selects a function that was listed and reads its ids",
        then="they are those of the list, from which Linux answers its own drivers",
        source="pci-hyperv.c _hv_pcifront_read_config(); OpenVMM test verify_simple_device",
        check=shows_listed_ids,
    ),
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
        id="window-reads-bytes-and-words",
        strength="must",
        given=IN_D0,
        when="the guest reads a dword, its two words and its four bytes",
        then="they are the same bytes",
        source="pci-hyperv.c _hv_pcifront_read_config(); OpenVMM bus.rs",
        check=narrow_reads,
    ),
    HostCase(
        id="bar-keeps-address",
        strength="must",
        given="A function that does not decode memory",
        when="the guest writes an address into a BAR",
        then="the register reads it back",
        source="pci-hyperv.c prepopulate_bars(); OpenVMM test verify_simple_device_registers",
        check=bar_kept,
    ),
    HostCase(
        id="bar-has-its-size",
        strength="must",
        given="A function that does not decode memory",
        when="the guest writes an address that is not aligned to the BAR's size",
        then="the bits below the size read as 0",
        source="PCI Local Bus 3.0, 6.2.5.1; OpenVMM test verify_mmio",
        check=bar_sized,
    ),
    HostCase(
        id="bar-keeps-type",
        strength="must",
        given="A function that does not decode memory",
        when="the guest writes an address with all type bits set into a BAR",
        then="the type bits stay as they were",
        source="PCI Local Bus 3.0, 6.2.5.1; OpenVMM test verify_mmio",
        check=flags_kept,
    ),
    HostCase(
        id="bar-answers",
        strength="must",
        given=PROGRAMMED,
        when="the guest turns memory decoding on",
        then="the function's memory answers at that address",
        source="pci-hyperv.c prepopulate_bars(); OpenVMM test verify_simple_device_registers",
        check=bar_answers,
    ),
    HostCase(
        id="bar-silent-without-decoding",
        strength="must",
        given=DECODES,
        when="the guest turns memory decoding off",
        then="nothing answers where the BAR was: the address is free for another",
        source="pci-hyperv.c prepopulate_bars(), which moves BARs so",
        check=bar_silent,
    ),
    HostCase(
        id="bar-fixed-while-decoding",
        strength="hyperv",
        given=DECODES,
        when="the guest writes another address into the BAR",
        then="the register does not change",
        source="pci-hyperv.c prepopulate_bars(), comment; OpenVMM test verify_mmio",
        check=bar_fixed,
    ),
    HostCase(
        id="bar-fixed-while-decoding-in-openvmm",
        strength="openvmm",
        given=DECODES,
        when="the guest writes another address into the BAR",
        then="the register does not change",
        source="OpenVMM test verify_mmio",
        versions=FROM_1_2,
        check=bar_fixed,
    ),
    HostCase(
        id="odd-accesses-refused",
        strength="openvmm",
        given=IN_D0,
        when="the guest reads a word at an odd offset, or eight bytes",
        then="it gets all ones",
        source="OpenVMM chipset pci.rs; test of a 12-byte write",
        versions=FROM_1_2,
        check=odd_word,
    ),
    HostCase(
        id="odd-writes-refused",
        strength="openvmm",
        given=PROGRAMMED,
        when="the guest writes a word at an odd offset, or eight bytes, over the BAR",
        then="the register does not change",
        source="OpenVMM chipset pci.rs",
        versions=FROM_1_2,
        check=odd_write,
    ),
    HostCase(
        id="odd-accesses",
        strength="unknown",
        given=IN_D0,
        when="the guest reads a word at an odd offset",
        then="it is not established what it gets",
        source=UNSOURCED,
        check=odd_word_seen,
    ),
    HostCase(
        id="last-dword-answers",
        strength="hyperv",
        given=IN_D0,
        when="the guest reads the last dword of configuration space",
        then="the function answers; Linux takes the page to be whole",
        source="pci-hyperv.c _hv_pcifront_read_config(), CFG_PAGE_SIZE",
        check=last_dword,
    ),
    HostCase(
        id="last-dword-refused",
        strength="openvmm",
        given=IN_D0,
        when="the guest reads the last dword or the last byte of configuration space",
        then="it gets all ones",
        source="OpenVMM bus.rs, offset + length >= 0x1000",
        versions=FROM_1_2,
        check=last_dword_refused,
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
    HostCase(
        id="window-answers-hypercalls",
        strength="hyperv",
        given=IN_D0,
        when="the guest reads the window by HVCALL_MMIO_READ",
        then="it gets what it gets by an instruction",
        source="pci-hyperv.c hv_pci_read_mmio()",
        check=by_hypercall,
    ),
)
