# SPDX-License-Identifier: MIT
"""Interrupts that a guest asks for and does not get: refused, or never answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from host.devices import PROFILES
from protocol.link import BarWritten, ConfigRead, ConfigWritten
from protocol.pci_caps import PCI_CAP_ID_MSI, find_capability
from protocol.pci_regs import PCI_VENDOR_ID
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.interrupt_requests import COMPOSE
from sim.conformance.guest_cases.reading import (
    CREATE,
    DELETE,
    mapping_of,
    premise,
    succeeded,
)
from sim.conformance.guest_cases.relations import surveyed
from sim.conformance.guest_cases.resources import REFUSED, failing
from sim.conformance.guest_cases.scenarios import (
    LONG_NS,
    NIC,
    SECOND,
    SETTLED_NS,
    SINGLE_MSI,
    actor,
    administrator,
    after,
    do,
    knobs,
)
from sim.conformance.seen import Seen

THIRD: Final = 3  # a slot
VENDOR_OF_THIRD: Final = (THIRD, PCI_VENDOR_ID, 2)  # slot, offset, bytes
NO_VENDOR: Final = 0xFFFF
LOOKS_MIN: Final = 10  # in 20 ms, at one every 100 us
GRANTED_BYTES: Final = 24  # of an answer with an interrupt in it
ENTRY_BYTES: Final = 16  # of an MSI-X table: address, data, mask
MESSAGE_BYTES: Final = 12
MSI_MESSAGE: Final = range(0x04, 0x0E)  # in a capability with an address of 64 bits
SINGLE_MSI_REFUSED: Final = SINGLE_MSI + actor(
    "administrator",
    do("offer", "card0"),
    *(do("fail-next", "card0", message=message.name, status=REFUSED) for message in CREATE),
    after(SETTLED_NS),
)
VANISHED: Final = (
    NIC
    + f"slot = {THIRD}\n"
    + NIC.replace("nic0", "nic1")
    + f'bus = "nic0"\nslot = {SECOND}\npresent = false\n'
    + knobs(rescind_after_last=False)
    + actor(
        "administrator",
        do("offer", "nic0"),
        *(do("ignore-next", "nic0", message=message.name) for message in CREATE),
        after(SETTLED_NS),
        '{ do = "relations", device = "nic0", functions = [] }',
        after(SETTLED_NS),
        *(
            do("answer-late", "nic0", message=message.name, data=bytes(GRANTED_BYTES).hex())
            for message in CREATE
        ),
        after(SETTLED_NS),
        '{ do = "relations", device = "nic0", functions = ["nic1"] }',
        after(LONG_NS),
    )
)
Write = tuple[int, int]  # place, value


def nothing_deleted_that_was_refused(seen: Seen) -> None:
    for delete in seen.sent(*DELETE):
        if not mapping_of(delete)[0]:
            raise Nonconforming("an interrupt that was refused is deleted", delete.seq)
    answered = any(seen.answer_to(create) for create in seen.sent(*CREATE))
    premise(answered, "asking for an interrupt that it does not get")


def late_answer_dropped(seen: Seen) -> None:
    """The first CREATE is answered when its function has gone; then the other is listed."""
    asked = seen.sent(*CREATE)
    premise(asked and seen.answer_to(asked[0]), "a late answer")
    surveyed(seen, SECOND)


def gone_while_polling(seen: Seen) -> None:
    """The vendor id is read at each look: all ones end the looking for that CREATE."""
    asked = seen.sent(*CREATE)
    premise(asked, "creating an interrupt")
    looks = [
        (seq, read.value)
        for seq, read in seen.events(ConfigRead)
        if seq > asked[0].seq and (read.wslot, read.offset, read.size) == VENDOR_OF_THIRD
    ]
    gone = [seq for seq, value in looks if value == NO_VENDOR]
    if len(looks) - len(gone) < LOOKS_MIN or not gone:
        raise Nonconforming(f"it looked at the vendor id {len(looks)} times", asked[0].seq)
    if len(gone) > len(asked):
        raise Nonconforming("it looked again though the function had gone", gone[-1])


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
        id="refused-interrupt-not-deleted",
        strength="must",
        given="A host that refuses an interrupt",
        when="the guest hears of it",
        then="it does not delete what was never made",
        source="pci-hyperv.c hv_pci_compose_compl()",
        scenario=failing(*CREATE),
        check=nothing_deleted_that_was_refused,
    ),
    GuestCase(
        id="late-answer-for-what-has-gone",
        strength="must",
        given="A function that goes while the guest waits for its interrupt",
        when="the host answers after that, and lists another function",
        then="the guest drops the answer and asks about the other",
        source=f"{COMPOSE}, comment at the end: the request is taken back",
        scenario=VANISHED,
        check=late_answer_dropped,
    ),
    GuestCase(
        id="poll-ends-when-function-gone",
        strength="linux",
        given="A guest that waits for an interrupt to be created and looks for the answer",
        when="the function goes instead",
        then="the guest, which reads the vendor id at each look, looks no more after all ones",
        source=f"{COMPOSE}: hv_pcifront_get_vendor_id()",
        scenario=VANISHED,
        check=gone_while_polling,
    ),
    GuestCase(
        id="short-interrupt-answer",
        strength="linux",
        given="A host that answers the creation of an interrupt with a status and nothing else",
        when="the guest hears of it",
        then="it takes that for a failure and deletes nothing",
        source="pci-hyperv.c hv_pci_compose_compl()",
        scenario=administrator(
            *(do("answer-next", message=one.name, data="00000000") for one in CREATE),
            after(SETTLED_NS),
        ),
        check=nothing_deleted_that_was_refused,
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
