# SPDX-License-Identifier: MIT
"""Configuration space: what a guest asks the host for, and what it must leave alone."""

from __future__ import annotations

from typing import Final

from host.events import ChannelOpened, D0Entered, D0Exited
from protocol.hypercall import HV_HYP_PAGE_SIZE, HVCALL_MMIO_READ, HVCALL_MMIO_WRITE
from protocol.link import ConfigRead, ConfigWritten, HypercallMade, UnclaimedAccess
from protocol.pci_regs import (
    PCI_CACHE_LINE_SIZE,
    PCI_CAPABILITY_LIST,
    PCI_COMMAND,
    PCI_INTERRUPT_LINE,
    PCI_INTERRUPT_PIN,
    PCI_REVISION_ID,
    PCI_ROM_ADDRESS,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
)
from protocol.vpci import MessageType, PciBusD0Entry
from sim.conformance.case import GuestCase, Nonconforming, NotOffered
from sim.conformance.guest_cases.reading import ASSIGNED, accesses, premise, succeeded, wslot_of
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    HIBERNATE,
    SECOND,
    SETTLED_NS,
    TWO,
    TWO_ARRIVE,
    administrator,
    after,
)
from sim.conformance.seen import Seen, parsed

READ: Final = "pci-hyperv.c _hv_pcifront_read_config()"
ID_AREAS: Final = (
    range(PCI_REVISION_ID, PCI_CACHE_LINE_SIZE),
    range(PCI_SUBSYSTEM_VENDOR_ID, PCI_ROM_ADDRESS),
)
READ_ONLY: Final = range(PCI_SUBSYSTEM_VENDOR_ID, PCI_CAPABILITY_LIST)
DWORD: Final = 4
NO_CALL: Final = (-1, None)
ISOLATED: Final = """
[guest]
isolation = "cvm"
"""
UNWAITED: Final = administrator(after(SETTLED_NS))  # some guests take no bus there


def naturally_aligned(seen: Seen) -> None:
    for seq, access in accesses(seen):
        if access.size not in (1, 2, 4) or access.offset % access.size:
            where = f"{access.size} bytes at {access.offset:#x}"
            raise Nonconforming(f"configuration space was accessed with {where}", seq)


def each_selected(seen: Seen) -> None:
    reached = {access.wslot for _, access in accesses(seen)}
    assigned = {wslot_of(packet) for packet in seen.sent(*ASSIGNED)}
    premise(assigned >= {0, SECOND}, "assigning resources to both functions")
    premise(reached, "configuration space")
    if not reached >= assigned:
        raise Nonconforming(f"slots {sorted(reached)} were reached, not 0 and {SECOND}")


def after_assignment(seen: Seen) -> None:
    """No access of any kind before the last success."""
    assigned = seen.sent(*ASSIGNED)
    premise({wslot_of(p) for p in assigned} >= {0, SECOND}, "assigning resources to both functions")
    done = max(succeeded(seen, packet) or len(seen.trace) for packet in assigned)
    for seq, access in accesses(seen):
        if seq < done:
            raise Nonconforming(f"{access.offset:#x} was accessed before all was assigned", seq)


def ids_kept(seen: Seen) -> None:
    for seq, write in seen.events(ConfigWritten):
        if write.offset < PCI_COMMAND:
            raise Nonconforming(f"{write.offset:#x} was written, vendor or device", seq)


def inside_the_window(seen: Seen) -> None:
    entered = seen.events(D0Entered)
    premise(entered, "D0")
    left = [seq for seq, _ in seen.events(D0Exited)]
    for seq, access in seen.events(UnclaimedAccess):
        if entered[0][0] < seq and (not left or seq < left[0]):
            raise Nonconforming(f"{access.gpa:#x} was touched, where nobody answers", seq)


def ids_read_here(seen: Seen) -> None:
    """But for two bytes of the vendor, which say whether a function is still there."""
    for seq, read in seen.events(ConfigRead):
        inside = any(read.offset in area for area in ID_AREAS)
        vendor = read.offset == PCI_VENDOR_ID and read.size != 2
        if inside or vendor:
            raise Nonconforming(f"{read.offset:#x} was read from the host", seq)


def rom_and_subsystem_kept(seen: Seen) -> None:
    """Whoever looks for BARs writes ones to the ROM's, so that every scan tries to."""
    premise(accesses(seen), "configuration space")
    for seq, write in seen.events(ConfigWritten):
        if write.offset in READ_ONLY:
            raise Nonconforming(f"{write.offset:#x} was written, subsystem or ROM", seq)


def across_asked_for(seen: Seen) -> None:
    """Whoever saves a header reads it dword by dword, a dword of line, pin and latencies last."""
    dwords = [read for _, read in seen.events(ConfigRead) if read.size == DWORD]
    saved = [read for read in dwords if read.offset == PCI_CAPABILITY_LIST]
    premise(saved, "saving a header")
    last = [read for read in dwords if read.offset == PCI_INTERRUPT_LINE]
    if len(last) < len(saved):
        raise Nonconforming(f"of {len(saved)} reads across line and pin {len(last)} were asked")


def rom_and_pin_known_here(seen: Seen) -> None:
    for seq, read in seen.events(ConfigRead):
        pin = read.size == 1 and read.offset in (PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN)
        if pin or PCI_ROM_ADDRESS <= read.offset < PCI_CAPABILITY_LIST:
            raise Nonconforming(f"{read.offset:#x} was asked of the host", seq)


def in_confidence(seen: Seen) -> None:
    """Raises NotOffered for a guest such as Linux 6.1, which takes no vPCI bus there."""
    if not seen.events(ChannelOpened):
        raise NotOffered("the guest takes no bus in a confidential VM")
    premise(accesses(seen), "configuration space")


def by_hypercall(seen: Seen) -> None:
    """A hypercall is recorded when it returns: behind the access that it makes."""
    in_confidence(seen)
    calls = iter(seen.events(HypercallMade))
    returned, call = next(calls, NO_CALL)
    for seq, access in accesses(seen):
        while 0 <= returned < seq:
            returned, call = next(calls, NO_CALL)
        due = HVCALL_MMIO_READ if isinstance(access, ConfigRead) else HVCALL_MMIO_WRITE
        if call is None or call.code != due:
            raise Nonconforming("configuration space was reached by an instruction", seq)


def selected_each_time(seen: Seen) -> None:
    """Of the window's two pages the first takes the slot, the second is that slot's registers."""
    in_confidence(seen)
    entry = seen.only(MessageType.PCI_BUS_D0ENTRY)
    window = parsed(PciBusD0Entry.parse, entry.payload, entry.seq).mmio_base
    selected = False
    for seq, call in seen.events(HypercallMade):
        if call.code not in (HVCALL_MMIO_READ, HVCALL_MMIO_WRITE):
            continue
        page = (int.from_bytes(call.input[:8], "little") - window) // HV_HYP_PAGE_SIZE
        if page == 1 and not selected:
            raise Nonconforming("a register was accessed without selecting its function", seq)
        selected = page == 0 and call.code == HVCALL_MMIO_WRITE


CASES: Final = (
    GuestCase(
        id="configuration-accesses-aligned",
        strength="must",
        given="A guest in D0",
        when="it accesses configuration space",
        then="each access has 1, 2 or 4 bytes and is aligned to them",
        source="PCI; OpenVMM refuses others (chipset pci.rs)",
        scenario=ARRIVAL,
        check=naturally_aligned,
    ),
    GuestCase(
        id="function-selected",
        strength="must",
        given="A bus with two functions",
        when="the guest accesses their configuration spaces",
        then="it selects the function, so that each gets its own accesses",
        source=READ,
        scenario=TWO_ARRIVE,
        check=each_selected,
    ),
    GuestCase(
        id="ids-not-written",
        strength="must",
        given="A guest in D0",
        when="it writes configuration space",
        then="it leaves vendor and device alone",
        source="pci-hyperv.c _hv_pcifront_write_config()",
        scenario=ARRIVAL,
        check=ids_kept,
    ),
    GuestCase(
        id="accesses-inside-the-window",
        strength="must",
        given="A guest in D0",
        when="it accesses configuration space",
        then="it touches the window's two pages and nothing beyond",
        source="PCI_CONFIG_MMIO_LENGTH; OpenVMM VSP maps two pages",
        scenario=ARRIVAL,
        check=inside_the_window,
    ),
    GuestCase(
        id="ids-not-asked-for",
        strength="linux",
        given="A guest in D0",
        when="somebody reads vendor, device, class or subsystem of a function",
        then="the guest answers from the list and asks no host",
        source=READ,
        scenario=ARRIVAL,
        check=ids_read_here,
    ),
    GuestCase(
        id="rom-and-pin-not-asked-for",
        strength="linux",
        given="A guest in D0",
        when="somebody reads a function's ROM BAR, interrupt line or pin",
        then="the guest answers zero and asks no host",
        source=READ,
        scenario=ARRIVAL,
        check=rom_and_pin_known_here,
    ),
    GuestCase(
        id="configuration-space-after-resources",
        strength="linux",
        given="A guest in D0 on a bus with two functions",
        when="it comes up",
        then="it writes BARs and scans the bus only after the resources of both were assigned",
        source="pci-hyperv.c hv_pci_probe(): prepopulate_bars(), create_root_hv_pci_bus()",
        scenario=TWO_ARRIVE,
        check=after_assignment,
    ),
    GuestCase(
        id="rom-and-subsystem-not-written",
        strength="linux",
        given="A guest in D0",
        when="its PCI core writes ones to the ROM BAR, to learn how large the ROM is",
        then="the host hears nothing of it, nor of any write to the subsystem's ids",
        source="pci-hyperv.c _hv_pcifront_write_config(); probe.c __pci_read_base()",
        scenario=ARRIVAL,
        check=rom_and_subsystem_kept,
    ),
    GuestCase(
        id="line-and-pin-asked-for-in-one",
        strength="linux",
        given="A guest in D0",
        when="somebody reads the dword that begins with a function's interrupt line and pin",
        then="the host is asked: only a read wholly inside one of the two is answered here",
        source=f"{READ}; pci.c pci_save_state()",
        scenario=HIBERNATE,
        check=across_asked_for,
    ),
    GuestCase(
        id="isolated-guest-uses-hypercalls",
        strength="linux",
        given="A confidential VM, whose instructions no host can emulate",
        when="the guest accesses configuration space",
        then="each access is a hypercall",
        source="pci-hyperv.c hv_pci_read_mmio(), hv_pci_write_mmio()",
        scenario=ISOLATED + UNWAITED,
        check=by_hypercall,
    ),
    GuestCase(
        id="function-selected-each-time",
        strength="linux",
        given="A confidential VM on a bus with two functions, whose accesses are hypercalls",
        when="the guest accesses configuration space",
        then="it selects the function right before each access; OpenVMM's client remembers",
        source="pci-hyperv.c hv_pci_read_mmio(), hv_pci_write_mmio(): config_lock",
        scenario=ISOLATED + TWO + UNWAITED,
        check=selected_each_time,
    ),
)
