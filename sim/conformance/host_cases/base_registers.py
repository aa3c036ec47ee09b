# SPDX-License-Identifier: MIT
"""Base registers, as a host keeps them and answers for the memory behind."""

from __future__ import annotations

from typing import Final

from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
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


def flags_kept(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, 0)
    before = host.read_config(bar.register) & BAR_FLAG_BITS
    program(host, bar, bar.base | BAR_FLAG_BITS)
    expect("the BAR's type bits", host.read_config(bar.register) & BAR_FLAG_BITS, before)


PROGRAMMED: Final = "A function whose BAR is programmed"
DECODES: Final = "A function that decodes memory"

CASES: Final = (
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
)
