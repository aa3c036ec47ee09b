# SPDX-License-Identifier: MIT
"""Configuration space behind the window, as a host answers for it: which bytes, in which sizes."""

from __future__ import annotations

from typing import Final

from protocol.hypercall import HVCALL_MMIO_READ, HvMmioReadInput, control_word
from protocol.pci_regs import PCI_SUBSYSTEM_VENDOR_ID
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import CONFIG_PAGE, ONES, WINDOW, HostBench
from sim.conformance.host_device import address_in, first_bar, program

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


def narrow_reads(host: HostBench) -> None:
    host.powered()
    dword = host.read_config(CLASS)
    words = host.read_config(CLASS, 2) | host.read_config(CLASS + 2, 2) << 16
    expect("two words", words, dword)
    octets = (host.read_config(CLASS + at, 1) << 8 * at for at in range(4))
    expect("four bytes", sum(octets), dword)


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


def by_hypercall(host: HostBench) -> None:
    host.powered()
    expected = host.read_config(0)
    call = HvMmioReadInput(WINDOW + CONFIG_PAGE, 4)
    result = host.host.hypercall(control_word(HVCALL_MMIO_READ), call.build())
    expect("the hypercall's status", result.status, 0)
    expect("what it reads", int.from_bytes(result.output[:4], "little"), expected)


IN_D0: Final = "A bus in D0"
PROGRAMMED: Final = "A function whose BAR is programmed"

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
        id="window-reads-bytes-and-words",
        strength="must",
        given=IN_D0,
        when="the guest reads a dword, its two words and its four bytes",
        then="they are the same bytes",
        source="pci-hyperv.c _hv_pcifront_read_config(); OpenVMM bus.rs",
        check=narrow_reads,
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
        id="window-answers-hypercalls",
        strength="hyperv",
        given=IN_D0,
        when="the guest reads the window by HVCALL_MMIO_READ",
        then="it gets what it gets by an instruction",
        source="pci-hyperv.c hv_pci_read_mmio()",
        check=by_hypercall,
    ),
)
