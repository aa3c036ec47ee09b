# SPDX-License-Identifier: MIT
"""A ring at its limits: full, at its end, and with packets that say what cannot be."""

from __future__ import annotations

import struct
from typing import Final

from protocol.ring import (
    DESCRIPTOR_BYTES,
    MAX_PACKET_BYTES,
    TRAILER_BYTES,
    packet_bytes,
)
from protocol.status import STATUS_SUCCESS
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import (
    CONFIG_BLOCK_BYTES_MAX,
    WRITE_BLOCK_QUIRK_BYTES,
    MessageType,
    PciDeleteInterrupt,
    PciDevIncoming,
    PciDevInvalBlock,
    PciWriteBlock,
)
from sim.conformance.case import ONCE, GuestCase, Nonconforming
from sim.conformance.guest_cases.blocks import count_of
from sim.conformance.guest_cases.reading import premise, since, status_of
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    LONG_NS,
    NIC_OFFERED,
    PATIENT,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    forge,
    repeated,
    wait,
)
from sim.conformance.seen import Seen, SeenPacket

M = MessageType
RING_BYTES: Final = 16384  # of data, as Linux has it
LEAST_FREE: Final = 8
NOBODYS_SLOT: Final = 7
EJECT: Final = PciDevIncoming(wslot=0).build()
NOTICE: Final = PciDevInvalBlock(wslot=NOBODYS_SLOT, block_mask=1).build()
FIRST: Final = "ring_buffer.c hv_pkt_iter_first()"

# A ring that the guest's packets fill to the last byte, if it lets them: blocks that wait for an
# answer, as many as it has ids, and then deletes, which want none.

IDS: Final = 64
DELETE_BYTES: Final = packet_bytes(PciDeleteInterrupt.SIZE)
WRITE_HEAD: Final = len(PciWriteBlock(bytes=b"").build())
WRITE_BYTES: Final = packet_bytes(WRITE_HEAD + CONFIG_BLOCK_BYTES_MAX + WRITE_BLOCK_QUIRK_BYTES)
DELETES: Final = -(-(RING_BYTES - IDS * WRITE_BYTES) // DELETE_BYTES)
SHORTER: Final = IDS * WRITE_BYTES + DELETES * DELETE_BYTES - RING_BYTES
SURPLUS: Final = 4  # deletes that find no room in any case
STALL_NS: Final = 500_000_000
UP: Final = wait("resources-assigned", after_ns=100_000_000)  # and all interrupts created
TWO_KINDS: Final = f"""
[[device]]
name = "nic0"
profile = "nic-vf"
driver = "nic-vf"

[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "generic"
rounds = 0
bus = "nic0"
slot = 2
vectors = {DELETES + SURPLUS}
"""


def _writer(number: int) -> str:
    """Somebody who writes a block while the host stands still."""
    size = CONFIG_BLOCK_BYTES_MAX - (SHORTER if number == 0 else 0)
    write = do("write-block", "nic0", block=1, data=bytes(size).hex())
    return actor(f"writer{number}", UP, after(SETTLED_NS), write)


FULL: Final = (
    TWO_KINDS
    + actor("administrator", do("offer", "nic0"), UP, do("stall", "nic0", ns=STALL_NS))
    + "".join(map(_writer, range(IDS)))
    + actor("user", UP, after(2 * SETTLED_NS), do("unbind", "nvme0"), after(2 * STALL_NS))
)

# Blocks that go round both rings; a few bytes less than a block may have.

BLOCK_BYTES: Final = 120
ROUNDS: Final = RING_BYTES // packet_bytes(BLOCK_BYTES) + 3
ROUND: Final = NIC_OFFERED + actor(
    "driver",
    ASSIGNED,
    repeated(
        ROUNDS,
        do("read-block", "nic0", block=0, size=BLOCK_BYTES),
        do("write-block", "nic0", block=1, data=bytes(BLOCK_BYTES).hex()),
    ),
)

# Packets that say what cannot be. Linux makes 4096 bytes of a length that is none, if there is so
# much: a packet that has as many leaves its reader in step.

LONGEST: Final = NOTICE.ljust(MAX_PACKET_BYTES - DESCRIPTOR_BYTES, b"\0")
IMPOSSIBLE8: Final = 0xFFFF


def _hidden() -> bytes:
    """A message, and a packet with an EJECT that begins where a reader of 4096 bytes goes on.

    The trailer of the whole is that packet's, too.
    """
    size8 = (DESCRIPTOR_BYTES + len(EJECT)) // 8
    inner = struct.pack("<HHHHQ", VM_PKT_DATA_INBAND, DESCRIPTOR_BYTES // 8, size8, 0, 0)
    at = MAX_PACKET_BYTES + TRAILER_BYTES - DESCRIPTOR_BYTES
    return NOTICE.ljust(at, b"\0") + inner + EJECT


def _ejected_by(*steps: str) -> str:
    return PATIENT + administrator(ASSIGNED, *steps, after(LONG_NS))


def _sent_while_stalled(seen: Seen) -> list[SeenPacket]:
    """What lay in the ring together: the host reads nothing from the first of the blocks on."""
    writes = seen.sent(M.PCI_WRITE_BLOCK)[-IDS:]
    premise(len(writes) == IDS, "as many requests at once as it has ids")
    end_ns = writes[0].at_ns + STALL_NS - 2 * SETTLED_NS
    return [p for p in seen.sent() if p.seq >= writes[0].seq and p.at_ns < end_ns]


def filled(seen: Seen) -> None:
    """Raise NotOffered unless there was no room for one more delete."""
    lying = sum(packet_bytes(len(packet.payload)) for packet in _sent_while_stalled(seen))
    premise(lying > RING_BYTES - LEAST_FREE - DELETE_BYTES, "a ring without room")


def never_filled(seen: Seen) -> None:
    lying = 0
    for packet in _sent_while_stalled(seen):
        lying += packet_bytes(len(packet.payload))
        if lying > RING_BYTES - LEAST_FREE:
            raise Nonconforming(f"{lying} bytes lie in a ring of {RING_BYTES}", packet.seq)
    filled(seen)


def given_up(seen: Seen) -> None:
    """The unbinding is long over when the host reads on."""
    filled(seen)
    last = _sent_while_stalled(seen)[-1]
    for packet in since(seen.sent(M.PCI_DELETE_INTERRUPT_MESSAGE), last.seq):
        raise Nonconforming("what had found no room was sent later", packet.seq)


def gone_round(seen: Seen) -> None:
    """The driver's own blocks have other sizes."""
    for message in (M.PCI_READ_BLOCK, M.PCI_WRITE_BLOCK):
        sent = [packet for packet in seen.sent(message) if count_of(packet) == BLOCK_BYTES]
        premise(len(sent) >= ROUNDS, f"so many times {message.name}")
        for packet in sent:
            if status_of(seen, packet) != STATUS_SUCCESS:
                raise Nonconforming("the host did not understand it", packet.seq)


def eject_heard(seen: Seen) -> None:
    came = seen.told()
    if not seen.sent(M.PCI_EJECTION_COMPLETE):
        raise Nonconforming("the EJECT was not heard", came[-1].seq if came else None)


CASES: Final = (
    GuestCase(
        id="packets-across-the-end",
        strength="must",
        about="vmbus",
        given="A function with configuration blocks",
        when=f"{ROUNDS} are read and as many written, so that both rings go round",
        then="each read and each write is understood",
        source="ring_buffer.c hv_copyto_ringbuffer(); OpenVMM vmbus_ring",
        scenario=ROUND,
        check=gone_round,
    ),
    GuestCase(
        id="ring-never-filled",
        strength="must",
        about="vmbus",
        given="A host that stands still",
        when="a guest has more to send than its ring holds",
        then="at least one byte stays free: a full ring would look as if it were empty",
        source="ring_buffer.c hv_ringbuffer_write(); OpenVMM vmbus_ring",
        scenario=FULL,
        versions=ONCE,
        check=never_filled,
    ),
    GuestCase(
        id="no-room-no-packet",
        strength="linux",
        about="vmbus",
        given="A host that stands still",
        when="a guest has more to send than its ring holds",
        then="what finds no room is not sent later either, when there is some",
        source="ring_buffer.c hv_ringbuffer_write(): -EAGAIN; pci-hyperv.c hv_int_desc_free()",
        scenario=FULL,
        versions=ONCE,
        check=given_up,
    ),
    GuestCase(
        id="impossible-length-taken-for-4096-bytes",
        strength="linux",
        about="vmbus",
        given="A packet of 4096 bytes that says it has 524280, and an EJECT behind it",
        when="the guest reads",
        then="it takes 4096 bytes for the first, and hears the EJECT",
        source=f"{FIRST}: min(pkt_buffer_size, bytes_avail)",
        scenario=_ejected_by(
            do("forge-packet", data=LONGEST.hex(), len8=IMPOSSIBLE8), forge(EJECT)
        ),
        check=eject_heard,
    ),
    GuestCase(
        id="longer-packet-taken-for-two",
        strength="linux",
        about="vmbus",
        given="A packet of more than 4096 bytes, which holds another one where these end",
        when="the guest reads",
        then="it loses its step and hears the EJECT in the packet within",
        source=f"{FIRST}: pkt_buffer_size, VMBUS_DEFAULT_MAX_PKT_SIZE",
        scenario=_ejected_by(forge(_hidden())),
        check=eject_heard,
    ),
    GuestCase(
        id="impossible-offset-taken-for-16-bytes",
        strength="linux",
        about="vmbus",
        given="An EJECT whose packet says that it begins beyond the packet's end",
        when="the guest reads",
        then="it finds the message behind 16 bytes",
        source=f"{FIRST}; pci-hyperv.c hv_pci_onchannelcallback() reads packets raw",
        scenario=_ejected_by(do("forge-packet", data=EJECT.hex(), offset8=IMPOSSIBLE8)),
        check=eject_heard,
    ),
)
