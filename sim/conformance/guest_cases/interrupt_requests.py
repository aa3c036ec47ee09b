# SPDX-License-Identifier: MIT
"""Requests for interrupts: which vector they name, and what a refused one leaves in the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from host.devices import PROFILES
from protocol.link import BarWritten, ConfigWritten
from protocol.pci_caps import PCI_CAP_ID_MSI, find_capability
from protocol.vpci import PciCreateIntResponse
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.interrupts import BLOCK, COMPOSE, MULTI_MSI, created
from sim.conformance.guest_cases.reading import (
    CREATE,
    Mapping,
    premise,
    retargets,
    succeeded,
)
from sim.conformance.guest_cases.resources import REFUSED, failing
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import LIFE, SETTLED_NS, actor, after, do
from sim.conformance.seen import Seen

DUMMY_VECTOR: Final = 32  # a multiple of any block's size, and not zero
ENTRY_BYTES: Final = 16  # of an MSI-X table: address, data, mask
MESSAGE_BYTES: Final = 12
MSI_MESSAGE: Final = range(0x04, 0x0E)  # in a capability with an address of 64 bits
SINGLE_MSI: Final = """
[[device]]
name = "card0"
profile = "multi-msi"
vectors = 1
"""
SINGLE_MSI_WORKS: Final = SINGLE_MSI + actor("administrator", do("offer", "card0"), SETTLED)
SINGLE_MSI_REFUSED: Final = SINGLE_MSI + actor(
    "administrator",
    do("offer", "card0"),
    *(do("fail-next", "card0", message=message.name, status=REFUSED) for message in CREATE),
    after(SETTLED_NS),
)

Write = tuple[int, int]  # place, value


def given(seen: Seen) -> Iterator[tuple[int, Mapping, int]]:
    """Each CREATE that succeeded: its place, the mapping it got, and the vector it named."""
    for packet, int_desc in created(seen):
        answer = seen.answer_to(packet)
        if answer is not None and succeeded(seen, packet):
            got = PciCreateIntResponse.parse(answer.payload).int_desc
            yield packet.seq, (got.address & 0xFFFF_FFFF, got.data), int_desc.vector


def vector_aimed(seen: Seen) -> None:
    """Only the first call after a CREATE: a move changes the vector, and not the message."""
    judged: set[int] = set()
    requests = list(given(seen))
    for call in retargets(seen):
        of_it = [one for one in requests if one[0] < call.seq and one[1] == call.mapping]
        if not of_it or of_it[-1][0] in judged:
            continue
        place, _, named = of_it[-1]
        judged.add(place)
        aimed = call.call.int_target.vector
        if named != aimed:
            raise Nonconforming(f"vector {named:#x} was created, {aimed:#x} aimed", call.seq)
    premise(judged, "aiming an interrupt")


def dummy_vector_once(seen: Seen) -> None:
    requests = list(created(seen))
    premise(requests, "an interrupt")
    for packet, int_desc in requests:
        found = int_desc.vector, int_desc.vector_count
        if found != (DUMMY_VECTOR, BLOCK):
            raise Nonconforming(f"{packet.name} names vector {found[0]}, {found[1]} of them")
    if len(requests) > 1:
        raise Nonconforming("the block was created more than once", requests[1][0].seq)


def leaves_zeros(written: Callable[[Seen], list[Write]]) -> Callable[[Seen], None]:
    """A check of what was ``written`` into the device after each CREATE that was refused."""

    def check(seen: Seen) -> None:
        requests = seen.sent(*CREATE)
        answers = [seen.answer_to(packet) for packet in requests]
        refused = [
            answer.seq
            for packet, answer in zip(requests, answers, strict=True)
            if answer is not None and succeeded(seen, packet) is None
        ]
        premise(refused, "an interrupt that is refused")
        for place in refused:
            end = min((p.seq for p in requests if p.seq > place), default=len(seen.trace))
            _zeros([write for write in written(seen) if place < write[0] <= end], place)

    return check


def _zeros(writes: list[Write], place: int) -> None:
    if not writes:
        raise Nonconforming("no message was written after the refusal", place)
    for seq, value in writes:
        if value:
            raise Nonconforming(f"{value:#x} was written, though there is no interrupt", seq)


def table_writes(seen: Seen) -> list[Write]:
    """What was written to the messages in the NVMe SSD's MSI-X table."""
    table = PROFILES["nvme-ssd"].msix
    assert table is not None, "the profile has MSI-X"
    entries = range(table.table_offset, table.table_offset + ENTRY_BYTES * table.vectors)
    return [
        (seq, write.value)
        for seq, write in seen.events(BarWritten)
        if write.bar == table.table_bar
        and write.offset in entries
        and (write.offset - entries.start) % ENTRY_BYTES < MESSAGE_BYTES
    ]


def capability_writes(seen: Seen) -> list[Write]:
    """What was written to the message in the MSI capability of the card."""
    at = find_capability(PROFILES["multi-msi"].config, PCI_CAP_ID_MSI)
    assert at is not None, "the profile has MSI"
    return [
        (seq, write.value)
        for seq, write in seen.events(ConfigWritten)
        if write.offset - at in MSI_MESSAGE
    ]


CASES: Final = (
    GuestCase(
        id="create-names-the-vector-aimed",
        strength="linux",
        given="A guest on x86 whose device has MSI-X",
        when="it has an interrupt created and then aims it for the first time",
        then="both name the same vector, which is the one that the interrupt holds",
        source=f"{COMPOSE}: hv_msi_get_int_vector()",
        scenario=LIFE,
        check=vector_aimed,
    ),
    GuestCase(
        id="single-msi-names-the-vector-aimed",
        strength="linux",
        given="A guest on x86 whose device has MSI, of which its driver takes one vector",
        when="it has the interrupt created and then aims it for the first time",
        then="both name the same vector, which is the one that the interrupt holds",
        source=f"{COMPOSE}: hv_msi_get_int_vector()",
        scenario=SINGLE_MSI_WORKS,
        check=vector_aimed,
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
        id="refused-interrupt-leaves-zeros",
        strength="linux",
        given="A host that refuses an interrupt of a device with MSI-X",
        when="the guest hears of it",
        then="it writes a message of zeros into the device's table",
        source=f"{COMPOSE}: return_null_message",
        scenario=failing(*CREATE),
        check=leaves_zeros(table_writes),
    ),
    GuestCase(
        id="refused-single-msi-leaves-zeros",
        strength="linux",
        given="A host that refuses the interrupt of a device with MSI alone",
        when="the guest hears of it",
        then="it writes a message of zeros into the device's MSI capability",
        source=f"{COMPOSE}: return_null_message",
        scenario=SINGLE_MSI_REFUSED,
        check=leaves_zeros(capability_writes),
    ),
)
