# SPDX-License-Identifier: MIT
"""Configuration blocks: the side channel of a virtual function's driver."""

from __future__ import annotations

from typing import Final

from protocol.vpci import (
    CONFIG_BLOCK_BYTES_MAX,
    WRITE_BLOCK_QUIRK_BYTES,
    MessageType,
    PciReadBlock,
)
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import BLOCKS as BLOCK_MESSAGES
from sim.conformance.guest_cases.reading import premise, reopened, since
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    BLOCK,
    BLOCKS,
    NIC,
    NIC_OFFERED,
    SETTLED_NS,
    actor,
    after,
    do,
)
from sim.conformance.seen import Seen, SeenPacket, expect_count

M = MessageType
HEAD: Final = 16  # type, block, slot, number of bytes
READ: Final = "pci-hyperv.c hv_read_config_block()"
WRITE: Final = "pci-hyperv.c hv_write_config_block()"
STALE: Final = 0
LAST: Final = 2  # of the blocks that are read after something went wrong
TOO_LONG: Final = 3  # a block that nobody else writes

OFF_NS: Final = 1_000_000_000
RESUMED: Final = NIC_OFFERED + actor(
    "user",
    ASSIGNED,
    '{ do = "suspend" }',
    after(OFF_NS),
    '{ do = "resume" }',
    after(SETTLED_NS),
    do("read-block", "nic0", block=LAST, size=8),
    after(SETTLED_NS),
)


def going_wrong(step: str) -> str:
    """The host does that about a read of block 1, and then block 2 is read."""
    return (
        NIC
        + actor("administrator", do("offer", "nic0"), ASSIGNED, step)
        + actor(
            "driver",
            ASSIGNED,
            after(SETTLED_NS),
            do("read-block", "nic0", block=1, size=8),
            do("read-block", "nic0", block=LAST, size=8),
        )
    )


def count_of(packet: SeenPacket) -> int:
    """How many bytes a block message is about."""
    return int.from_bytes(packet.payload[HEAD - 4 : HEAD], "little")


def block_of(packet: SeenPacket) -> int:
    return int.from_bytes(packet.payload[4:8], "little")


def sizes_lawful(seen: Seen) -> None:
    for packet in seen.sent(*BLOCK_MESSAGES):
        if not 0 < count_of(packet) <= CONFIG_BLOCK_BYTES_MAX:
            raise Nonconforming(f"{packet.name} is about {count_of(packet)} bytes", packet.seq)


def none_beyond(seen: Seen) -> None:
    premise(reads(seen, LAST), "the block that was asked for afterwards")
    for packet in seen.sent(M.PCI_WRITE_BLOCK):
        if block_of(packet) == TOO_LONG:
            raise Nonconforming(f"{count_of(packet)} bytes were written", packet.seq)


def written(seen: Seen) -> SeenPacket:
    """The write of the case's block."""
    found = [packet for packet in seen.sent(M.PCI_WRITE_BLOCK) if block_of(packet) == 1]
    premise(found, "writing the block")
    return found[-1]


def whole_block(seen: Seen) -> None:
    packet = written(seen)
    held = packet.payload[HEAD : HEAD + count_of(packet)]
    if held != BLOCK:
        raise Nonconforming(f"of {len(BLOCK)} bytes these are written: {held.hex(' ')}", packet.seq)


def four_bytes_more(seen: Seen) -> None:
    packet = written(seen)
    more = packet.payload[HEAD + count_of(packet) :]
    if more != bytes(WRITE_BLOCK_QUIRK_BYTES):
        raise Nonconforming(f"behind the block stand {len(more)} bytes", packet.seq)


def sixteen_bytes(seen: Seen) -> None:
    for packet in seen.sent(M.PCI_READ_BLOCK):
        if (len(packet.payload), packet.flags) != (PciReadBlock.SIZE, 1):
            raise Nonconforming(f"it has {len(packet.payload)} bytes", packet.seq)


def reads(seen: Seen, block: int) -> list[SeenPacket]:
    return [packet for packet in seen.sent(M.PCI_READ_BLOCK) if block_of(packet) == block]


def asked_once_and_goes_on(seen: Seen) -> None:
    expect_count(reads(seen, 1), 1, "requests for the block were sent")
    if not reads(seen, LAST):
        raise Nonconforming("no other block was asked for afterwards")


def read_on_the_second_channel(seen: Seen) -> None:
    if not since(reads(seen, LAST), reopened(seen)):
        raise Nonconforming("the block was not asked for after the resume")


def read_again(seen: Seen) -> None:
    notices = seen.told(M.PCI_INVALIDATE_BLOCK)
    premise(notices, "a stale block")
    if not since(reads(seen, STALE), notices[0].seq):
        raise Nonconforming("the block that is stale was not read again", notices[0].seq)


CASES: Final = (
    GuestCase(
        id="block-sizes",
        strength="must",
        given="A function with configuration blocks",
        when="the guest reads or writes one",
        then="it asks for at least one byte and at most 128",
        source=f"{READ}: HV_CONFIG_BLOCK_SIZE_MAX",
        scenario=BLOCKS,
        check=sizes_lawful,
    ),
    GuestCase(
        id="block-beyond-128-bytes-not-written",
        strength="linux",
        given="A function with configuration blocks",
        when="its driver writes 129 bytes to one",
        then="the guest sends nothing of them, and goes on",
        source=f"{WRITE}: HV_CONFIG_BLOCK_SIZE_MAX",
        scenario=NIC_OFFERED
        + actor(
            "user",
            ASSIGNED,
            after(SETTLED_NS),
            do(
                "write-block",
                "nic0",
                block=TOO_LONG,
                data=bytes(CONFIG_BLOCK_BYTES_MAX + 1).hex(),
            ),
            do("read-block", "nic0", block=LAST, size=8),
        ),
        check=none_beyond,
    ),
    GuestCase(
        id="block-written-as-counted",
        strength="must",
        given="A function with configuration blocks",
        when="the guest writes 8 bytes to one",
        then="the message's count is 8, and those bytes follow",
        source=f"{WRITE}: the count is the truth",
        scenario=BLOCKS,
        check=whole_block,
    ),
    GuestCase(
        id="four-bytes-behind-a-block",
        strength="linux",
        given="A function with configuration blocks",
        when="the guest writes one",
        then="four zero bytes follow it, for hosts of about 2018 whose length check was wrong",
        source=WRITE,
        scenario=BLOCKS,
        check=four_bytes_more,
    ),
    GuestCase(
        id="block-read-of-sixteen-bytes",
        strength="linux",
        given="A function with configuration blocks",
        when="the guest reads one",
        then="the message has 16 bytes and wants an answer",
        source=READ,
        scenario=BLOCKS,
        check=sixteen_bytes,
    ),
    GuestCase(
        id="refused-block-not-asked-again",
        strength="linux",
        given="A host that refuses a configuration block, as OpenVMM does",
        when="the guest hears of it",
        then="it asks no more for that block, but for others",
        source=READ,
        scenario=going_wrong(do("fail-next", "nic0", message="PCI_READ_BLOCK", status=0xC000090B)),
        check=asked_once_and_goes_on,
    ),
    GuestCase(
        id="block-without-bytes",
        strength="linux",
        given="A host that answers a read with success and no byte",
        when="the guest hears of it",
        then="it asks no more for that block, but for others",
        source="pci-hyperv.c hv_pci_read_config_compl()",
        scenario=going_wrong(do("answer-next", "nic0", message="PCI_READ_BLOCK", data="00000000")),
        check=asked_once_and_goes_on,
    ),
    GuestCase(
        id="block-read-after-resume",
        strength="linux",
        given="A guest that has hibernated",
        when="it reads a block on its new channel",
        then="the host is asked for it",
        source="pci-hyperv.c hv_pci_resume(): the channel has a new table of requests",
        scenario=RESUMED,
        check=read_on_the_second_channel,
    ),
    GuestCase(
        id="stale-block-told",
        strength="linux",
        given="A function whose driver reads again whatever it is told to be stale",
        when="the host says that a block has changed",
        then="the guest tells the driver, and the block is read again",
        source="pci-hyperv.c hv_pci_onchannelcallback(): block_invalidate",
        scenario=NIC
        + actor(
            "administrator",
            do("offer", "nic0"),
            ASSIGNED,
            do("invalidate-block", "nic0", mask=1 << STALE),
            after(SETTLED_NS),
        ),
        check=read_again,
    ),
)
