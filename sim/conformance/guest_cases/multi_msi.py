# SPDX-License-Identifier: MIT
"""A device with MSI alone whose driver takes several vectors: one block, from first to last."""

from __future__ import annotations

from typing import Final

from host.events import InterruptCreated
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.interrupt_requests import COMPOSE
from sim.conformance.guest_cases.interrupts import FREE
from sim.conformance.guest_cases.reading import (
    DELETE,
    created,
    mapping_of,
    premise,
    retargets,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import LONG_NS, PATIENT, actor, after, do
from sim.conformance.seen import Seen

BLOCK: Final = 4
DUMMY_VECTOR: Final = 32  # a multiple of any block's size, and not zero
CARD: Final = """
[guest]
vcpus = 4

[[device]]
name = "card0"
profile = "multi-msi"
vectors = 4
"""
MULTI_MSI: Final = CARD + actor("administrator", do("offer", "card0"), SETTLED)
EJECTED: Final = (
    CARD
    + PATIENT
    + actor("administrator", do("offer", "card0"), SETTLED, do("eject", "card0"), after(LONG_NS))
)


def one_block(seen: Seen) -> None:
    aimed = {call.mapping for call in retargets(seen)}
    premise(len(aimed) > 1, "more than one vector of a multi-MSI device")
    for packet, int_desc in created(seen):
        if int_desc.vector_count != BLOCK:
            count = int_desc.vector_count
            raise Nonconforming(f"{packet.name} asks for {count} of {BLOCK} vectors", packet.seq)


def dummy_vector_once(seen: Seen) -> None:
    requests = list(created(seen))
    premise(requests, "an interrupt")
    for packet, int_desc in requests:
        found = int_desc.vector, int_desc.vector_count
        if found != (DUMMY_VECTOR, BLOCK):
            told_of = f"vector {found[0]}, {found[1]} of them"
            raise Nonconforming(f"{packet.name} names {told_of}", packet.seq)
    if len(requests) > 1:
        raise Nonconforming("the block was created more than once", requests[1][0].seq)


def data_counts_up(seen: Seen) -> None:
    """What tells the vectors of a block apart, of the mapping that each hypercall names."""
    blocks = seen.events(InterruptCreated)
    calls = retargets(seen)
    premise(blocks and calls, "aiming an interrupt of a block")
    block = blocks[0][1]
    due = {(block.address & 0xFFFF_FFFF, block.data + place) for place in range(BLOCK)}
    for call in calls:
        if call.mapping not in due:
            address, data = call.mapping
            raise Nonconforming(f"{address:#x} with {data:#x} is not of the block", call.seq)
    if {call.mapping for call in calls} != due:
        raise Nonconforming(f"of {BLOCK} vectors not every one was aimed", calls[-1].seq)


def block_deleted_once(seen: Seen) -> None:
    blocks = seen.events(InterruptCreated)
    premise(blocks, "a block of vectors")
    block = blocks[0][1]
    deleted = seen.sent(*DELETE)
    if not deleted:
        raise Nonconforming("the block was never deleted")
    for packet in deleted:
        if mapping_of(packet) != (block.address & 0xFFFF_FFFF, block.data):
            raise Nonconforming("a single vector of the block is deleted", packet.seq)
    if len(deleted) > 1:
        raise Nonconforming(f"the block is deleted {len(deleted)} times", deleted[1].seq)


CASES: Final = (
    GuestCase(
        id="multi-msi-is-one-block",
        strength="must",
        given="A device without MSI-X whose driver takes four vectors",
        when="the guest has them created",
        then="it asks for all of them at once, since the device has one address for all",
        source=f"{COMPOSE}; PCI: multiple message enable",
        scenario=MULTI_MSI,
        check=one_block,
    ),
    GuestCase(
        id="multi-msi-names-vector-32",
        strength="linux",
        given="A device without MSI-X whose driver takes four vectors",
        when="the guest has them created",
        then="one message names vector 32 and the count; unmasking tells the true vectors",
        source=f"{COMPOSE}, comment at the dummy vector",
        scenario=MULTI_MSI,
        check=dummy_vector_once,
    ),
    GuestCase(
        id="multi-msi-data-counts-up",
        strength="linux",
        given="A device without MSI-X whose driver takes four vectors",
        when="the guest has been given one message for them and aims each of them",
        then="it names the address and the data that it was given, plus 0, 1, 2 and 3",
        source=f"{COMPOSE}: the rest of a block needs no request",
        scenario=MULTI_MSI,
        check=data_counts_up,
    ),
    GuestCase(
        id="multi-msi-deleted-once",
        strength="linux",
        given="A device without MSI-X whose driver has taken four vectors",
        when="the host asks for the function",
        then="the guest deletes the block once, by its first vector, and no vector by itself",
        source=f"{FREE}: vector_count; OpenVMM answers BAD_DATA to a second one",
        scenario=EJECTED,
        check=block_deleted_once,
    ),
)
