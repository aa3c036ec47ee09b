# SPDX-License-Identifier: MIT
"""Accesses to configuration space that the device behind a host puts off, or never answers."""

from __future__ import annotations

from typing import Final

from protocol.pci_regs import PCI_COMMAND, PCI_COMMAND_MASTER, PCI_VENDOR_ID
from sim.conformance.answers import functions_in
from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import CONFIG_PAGE, ONES, OTHER_WINDOW, WINDOW, HostBench
from sim.conformance.host_port import Access

LATE_NS: Final = 4_000_000_000  # longer than any host takes over a few packets
MARGIN_NS: Final = 10_000_000  # to either side of that, for what else the host does meanwhile
SHORTLY_BEFORE_NS: Final = LATE_NS - MARGIN_NS
PATIENCE_NS: Final = 60_000_000_000  # nobody waits so long for a device
ENDED: Final = "whether it has ended"
OPENVMM: Final = "OpenVMM bus.rs, its tests of deferred accesses"


def deferring(host: HostBench, kind: str, for_ns: int) -> None:
    """From D0 to a device that puts its next access off."""
    with reaching("configuration space"):
        expect("whether it answers", host.read_config(PCI_VENDOR_ID) != ONES, True)
        expect("the command register", host.read_config(PCI_COMMAND, 2), 0)
    host.order("defer-access", kind=kind, for_ns=for_ns)


def write_begun(host: HostBench) -> Access:
    """The write of a command that begins nothing in the device."""
    deferring(host, "write", LATE_NS)
    return host.host.begin_write(WINDOW + CONFIG_PAGE + PCI_COMMAND, 2, PCI_COMMAND_MASTER)


def read_begun(host: HostBench, for_ns: int) -> Access:
    deferring(host, "read", for_ns)
    return host.host.begin_read(WINDOW + CONFIG_PAGE + PCI_VENDOR_ID, 4)


def ends_in_its_time(host: HostBench, access: Access) -> None:
    """Raise Nonconforming unless it ends after ``LATE_NS``, which begin now."""
    expect(ENDED, access.ended(), False)
    host.host.pass_time(SHORTLY_BEFORE_NS)
    expect(f"{ENDED} shortly before its time", access.ended(), False)
    host.host.pass_time(2 * MARGIN_NS)
    expect(f"{ENDED} shortly after its time", access.ended(), True)


def write_ends_in_its_time(host: HostBench) -> None:
    host.powered()
    ends_in_its_time(host, write_begun(host))


def write_takes_effect_then(host: HostBench) -> None:
    host.powered()
    write_begun(host)
    host.host.pass_time(SHORTLY_BEFORE_NS)
    expect("the command register meanwhile", host.read_config(PCI_COMMAND, 2), 0)
    host.host.pass_time(2 * MARGIN_NS)
    expect("the command register", host.read_config(PCI_COMMAND, 2), PCI_COMMAND_MASTER)


def other_bus_answers(host: HostBench) -> None:
    first = host.channel
    host.powered()
    host.take_second_offer()
    host.powered(OTHER_WINDOW)
    with reaching("the other bus"):
        identity = host.read_config(PCI_VENDOR_ID, window=OTHER_WINDOW)
        expect("whether it answers", identity != ONES, True)
    second, host.channel = host.channel, first
    write_begun(host)
    meanwhile = host.read_config(PCI_VENDOR_ID, window=OTHER_WINDOW)
    expect("the other's first dword", meanwhile, identity)
    host.channel = second
    expect("how many functions it lists", len(functions_in(host.list_functions())), 1)


def read_answered_late(host: HostBench) -> None:
    host.powered()
    identity = host.read_config(PCI_VENDOR_ID)
    read = read_begun(host, LATE_NS)
    ends_in_its_time(host, read)
    expect("the first dword", read.value(), identity)


def read_never_answered(host: HostBench) -> None:
    host.powered()
    read = read_begun(host, 0)
    expect(ENDED, read.ended(), False)
    host.host.pass_time(PATIENCE_NS)
    expect(ENDED, read.ended(), True)
    expect("the first dword", read.value(), ONES)


CASES: Final = (
    HostCase(
        id="deferred-write-ends-in-its-time",
        strength="openvmm",
        given="A device that puts a write of its command register off for four seconds",
        when="a processor writes it",
        then="that processor goes on after these four seconds, and not before",
        source=f"{OPENVMM}: the processor is suspended until the device completes",
        versions=FROM_1_2,
        check=write_ends_in_its_time,
    ),
    HostCase(
        id="deferred-write-takes-effect-at-its-end",
        strength="openvmm",
        given="A device that puts a write of its command register off for four seconds",
        when="a processor writes it, and another reads it before these are over and after",
        then="the other reads what was there first, and then what was written",
        source=OPENVMM,
        versions=FROM_1_2,
        check=write_takes_effect_then,
    ),
    HostCase(
        id="deferred-write-spares-other-buses",
        strength="openvmm",
        given="Two buses in D0, on one of which the device puts a write off",
        when="another processor reads the other bus's configuration space and asks for its list",
        then="it gets both at once",
        source=OPENVMM,
        versions=FROM_1_2,
        bus="neighbours",
        check=other_bus_answers,
    ),
    HostCase(
        id="deferred-read-answered-late",
        strength="openvmm",
        given="A device that puts a read off for four seconds",
        when="a processor reads it",
        then="it goes on after these four seconds and not before, with what the device has there",
        source=OPENVMM,
        versions=FROM_1_2,
        check=read_answered_late,
    ),
    HostCase(
        id="unanswered-read-gives-ones",
        strength="openvmm",
        given="A device that puts a read off and never answers it",
        when="a processor reads it",
        then="the processor waits at first; all ones come once the host has given the device up",
        source=f"{OPENVMM}: NoResponse; its chipset turns that into ones",
        versions=FROM_1_2,
        check=read_never_answered,
    ),
)
