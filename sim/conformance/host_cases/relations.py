# SPDX-License-Identifier: MIT
"""What a host says of the functions of its bus."""

from __future__ import annotations

from typing import Final

from protocol.ring import DESCRIPTOR_BYTES
from protocol.vpci import (
    DEVICE_FLAG_NUMA_AFFINITY,
    MessageType,
    PciFunctionDescription2,
    message_type,
)
from sim.conformance.answers import functions_in
from sim.conformance.case import FROM_1_2, FROM_1_3, HostCase, Nonconforming, NotOffered
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench

M = MessageType
LINUX_BUFFER: Final = 4096  # bytes of a packet that Linux's reader can hold
SLOT_BITS: Final = 0xFF


def formed(host: HostBench) -> None:
    host.ready()
    with reaching("a list of functions"):
        listed = host.list_functions()
    name = host.dialect.relations_message.name
    expect("the list", M(message_type(listed)).name, name)


def whole(host: HostBench) -> None:
    host.ready()
    with reaching("a list of functions"):
        listed = host.list_functions()
    functions_in(listed)


def fits_linux(host: HostBench) -> None:
    host.ready()
    with reaching("a list of functions"):
        listed = host.list_functions()
    size = DESCRIPTOR_BYTES + len(listed)
    if size > LINUX_BUFFER:
        raise Nonconforming(f"the list's packet has {size} bytes")


def same_again(host: HostBench) -> None:
    host.ready()
    first = host.functions()
    expect("the second list", host.functions(), first)


def slots_apart(host: HostBench) -> None:
    host.ready()
    slots = [function.win_slot for function in host.functions()]
    if len(set(slots)) != len(slots):
        raise Nonconforming(f"of slots {slots} two are alike")
    expect("reserved bits of the slots", max(slots) & ~SLOT_BITS, 0)


def every_function(host: HostBench) -> None:
    host.ready()
    expect("the slots", [f.win_slot for f in host.functions()], [0, 1])


def only_slot_0(host: HostBench) -> None:
    host.ready()
    expect("the slots", [f.win_slot for f in host.functions()], [0])


def serial_of_instance(host: HostBench) -> None:
    host.ready()
    expect("the serial number", host.functions()[0].ser, host.instance_id.time_low)


def _numa(host: HostBench) -> PciFunctionDescription2:
    host.ready()
    found = host.functions()[0]
    if not isinstance(found, PciFunctionDescription2):
        raise NotOffered("the list has no NUMA nodes")
    return found


def no_node(host: HostBench) -> None:
    found = _numa(host)
    expect("the flags", found.flags, 0)
    expect("the node", found.virtual_numa_node, 0)


def node(host: HostBench) -> None:
    found = _numa(host)
    expect("the NUMA flag", found.flags & DEVICE_FLAG_NUMA_AFFINITY, DEVICE_FLAG_NUMA_AFFINITY)
    expect("the node", found.virtual_numa_node, 1)


AGREED: Final = "An agreed version"
QUERIED: Final = "the guest queries the relations"

CASES: Final = (
    HostCase(
        id="relations-have-form-of-version",
        strength="must",
        given=AGREED,
        when=QUERIED,
        then="the list is BUS_RELATIONS below version 1.3 and BUS_RELATIONS2 from 1.3 on",
        source="pci-hyperv.c hv_pci_onchannelcallback(); OpenVMM device.rs, send_bus_relations",
        check=formed,
    ),
    HostCase(
        id="relations-are-whole",
        strength="must",
        given=AGREED,
        when=QUERIED,
        then="the list has as many entries as it counts; Linux drops a shorter one and waits on",
        source="pci-hyperv.c hv_pci_onchannelcallback(), struct_size() of bus_rel",
        check=whole,
    ),
    HostCase(
        id="relations-fit-linux-buffer",
        strength="hyperv",
        given=AGREED,
        when=QUERIED,
        then="the list's packet has at most 4,096 bytes, or Linux's reader loses step",
        source="ring_buffer.c hv_pkt_iter_first(), pkt_buffer_size",
        check=fits_linux,
    ),
    HostCase(
        id="functions-stay-themselves",
        strength="must",
        given="A list that was sent for a query, and no change since",
        when="the guest queries again",
        then="slots, ids and serial numbers are the same, or the guest takes them for new ones",
        source="pci-hyperv.c pci_devices_present_work(); OpenVMM client, same_device",
        check=same_again,
    ),
    HostCase(
        id="slots-are-apart",
        strength="must",
        given=AGREED,
        when=QUERIED,
        then="no two functions have the same slot, and reserved bits are clear",
        source="pci-hyperv.c get_pcichild_wslot(), union win_slot_encoding",
        bus="two",
        check=slots_apart,
    ),
    HostCase(
        id="every-function-listed",
        strength="hyperv",
        given="A bus with functions in slots 0 and 1",
        when=QUERIED,
        then="the list has both of them",
        source="pci-hyperv.c hv_pci_devices_present()",
        bus="two",
        check=every_function,
    ),
    HostCase(
        id="one-function-in-slot-0",
        strength="openvmm",
        given=AGREED,
        when=QUERIED,
        then="the list has one function, in slot 0",
        source="OpenVMM bus.rs; test verify_simple_device",
        versions=FROM_1_2,
        check=only_slot_0,
    ),
    HostCase(
        id="serial-is-of-the-instance",
        strength="openvmm",
        given=AGREED,
        when=QUERIED,
        then="the serial number is the first 32 bits of the instance id",
        source="OpenVMM device.rs, serial_num",
        versions=FROM_1_2,
        check=serial_of_instance,
    ),
    HostCase(
        id="no-numa-flag-without-node",
        strength="openvmm",
        given="A function that has no NUMA node",
        when=QUERIED,
        then="flags and node are 0",
        source="OpenVMM device.rs, DeviceDescription2; test verify_simple_device",
        versions=FROM_1_3,
        check=no_node,
    ),
    HostCase(
        id="numa-node-flagged",
        strength="hyperv",
        given="A function that the administrator has put to NUMA node 1",
        when=QUERIED,
        then="the entry has the flag and the node; Linux ignores a node without the flag",
        source="pci-hyperv.c hv_pci_assign_numa_node()",
        versions=FROM_1_3,
        bus="numa",
        check=node,
    ),
)
