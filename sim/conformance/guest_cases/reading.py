# SPDX-License-Identifier: MIT
"""What checks of several themes read out of a run. Knows no rule.

A check of one rule must not fail for another's breach: where a run did not come to what a case is
about, :func:`premise` says so, and the case counts as not put to the guest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from host.events import ChannelOpened, InterruptCreated, InterruptDeleted
from protocol.hypercall import HVCALL_RETARGET_INTERRUPT, HvRetargetDeviceInterrupt
from protocol.link import ConfigRead, ConfigWritten, HypercallMade, PacketPublished
from protocol.pci_regs import PCI_BASE_ADDRESS_0, PCI_COMMAND, PCI_COMMAND_MEMORY
from protocol.vmbus import ChannelMessageType
from protocol.vpci import RECORDS, MessageType, PciDeleteInterrupt, PciQResReqResponse, PciResponse
from sim.conformance.case import Nonconforming, NotOffered
from sim.conformance.guest_cases.scenarios import AGE_NS
from sim.conformance.seen import Seen, SeenPacket, parsed

M = MessageType
E = TypeVar("E", bound=msgspec.Struct)

ASSIGNED: Final = (M.PCI_RESOURCES_ASSIGNED, M.PCI_RESOURCES_ASSIGNED2, M.PCI_RESOURCES_ASSIGNED3)
CREATE: Final = (
    M.PCI_CREATE_INTERRUPT_MESSAGE,
    M.PCI_CREATE_INTERRUPT_MESSAGE2,
    M.PCI_CREATE_INTERRUPT_MESSAGE3,
)
DELETE: Final = (M.PCI_DELETE_INTERRUPT_MESSAGE, M.PCI_DELETE_INTERRUPT_MESSAGE2)
BLOCKS: Final = (M.PCI_READ_BLOCK, M.PCI_WRITE_BLOCK)
OF_A_SLOT: Final = (
    *(*ASSIGNED, *CREATE, *DELETE, *BLOCKS),
    *(M.PCI_QUERY_RESOURCE_REQUIREMENTS, M.PCI_RESOURCES_RELEASED, M.PCI_EJECTION_COMPLETE),
)
QUERY_THEN_LIST: Final = (M.PCI_QUERY_PROTOCOL_VERSION.name, M.PCI_QUERY_BUS_RELATIONS.name)
BARS: Final = 6


def first(packets: Sequence[SeenPacket], what: str) -> SeenPacket:
    """The first of them. Raises Nonconforming if there is none."""
    if not packets:
        raise Nonconforming(f"no {what} was sent")
    return packets[0]


def channel_closed(seen: Seen) -> None:
    """Raise Nonconforming if the guest closed no channel."""
    if not seen.posted(ChannelMessageType.CHANNELMSG_CLOSECHANNEL):
        raise Nonconforming("the channel was left open")


def premise(holds: object, what: str) -> None:
    """Raises NotOffered unless the run came to ``what``, which another case is about."""
    if not holds:
        raise NotOffered(f"the guest never came to {what}")


def last_event(seen: Seen, kind: type[E], what: str) -> int:
    """The place of the last such event. Raises NotOffered as :func:`premise`."""
    places = [seq for seq, _ in seen.events(kind)]
    premise(places, what)
    return places[-1]


def wslot_of(packet: SeenPacket) -> int:
    """The slot that a message names."""
    at = 8 if packet.name in {block.name for block in BLOCKS} else 4
    return int.from_bytes(packet.payload[at : at + 4], "little")


def since(packets: Sequence[SeenPacket], seq: int) -> list[SeenPacket]:
    """Those after that place."""
    return [packet for packet in packets if packet.seq > seq]


def status_of(seen: Seen, request: SeenPacket) -> int | None:
    """The status that a request was answered with, None if it has none."""
    answer = seen.answer_to(request)
    if answer is None or len(answer.payload) < PciResponse.SIZE:
        return None
    return PciResponse.parse(answer.payload).status


def succeeded(seen: Seen, request: SeenPacket) -> int | None:
    """The place of a request's answer, if that is a success."""
    answer = seen.answer_to(request)
    status = status_of(seen, request)
    return answer.seq if answer is not None and status is not None and status >= 0 else None


def waits_for_ever(seen: Seen, request: SeenPacket) -> None:
    """Nothing is sent and nothing closed until a late answer, of ``scenarios.answered_late``.

    What the guest did comes first: whoever asks again is answered early for that reason.
    """
    answer = seen.answer_to(request)
    end = len(seen.trace) if answer is None else answer.seq
    for closed in seen.posted(ChannelMessageType.CHANNELMSG_CLOSECHANNEL):
        if closed.seq < end:
            raise Nonconforming("the channel was closed before the answer came", closed.seq)
    for packet in since(seen.sent(), request.seq):
        if packet.seq < end:
            raise Nonconforming(f"{packet.name} was sent while it waited", packet.seq)
    premise(answer is not None and answer.at_ns - request.at_ns >= AGE_NS, "a late answer")


def reopened(seen: Seen) -> int:
    """The place where the channel was opened for the second time."""
    places = [seq for seq, _ in seen.events(ChannelOpened)]
    premise(len(places) > 1, "opening the channel again")
    return places[1]


def published(seen: Seen) -> list[tuple[int, PacketPublished]]:
    """Every packet of the guest, of whatever type."""
    return [row for row in seen.events(PacketPublished) if row[1].direction == "guest-to-host"]


# Interrupts

Mapping = tuple[int, int]  # address, data


class Retarget(NamedTuple):
    """One hypercall that aims an interrupt."""

    seq: int
    status: int
    call: HvRetargetDeviceInterrupt

    @property
    def mapping(self) -> Mapping:
        """By which the interrupt is known."""
        entry = self.call.int_entry.msi_entry
        return entry.address, entry.data

    @property
    def vps(self) -> tuple[int, ...]:
        """The processors it names, whichever form it has."""
        target = self.call.int_target
        if not target.set_words:
            return tuple(vp for vp in range(64) if target.vp_mask >> vp & 1)
        banks = target.set_words[1:]
        return tuple(
            64 * place + bit
            for place, bank in enumerate(banks)
            for bit in range(64)
            if bank >> bit & 1
        )


def retargets(seen: Seen) -> list[Retarget]:
    """Every retarget hypercall."""
    return [
        Retarget(seq, call.result, parsed(HvRetargetDeviceInterrupt.parse, call.input, seq))
        for seq, call in seen.events(HypercallMade)
        if call.code == HVCALL_RETARGET_INTERRUPT
    ]


def created(seen: Seen) -> Iterator[tuple[SeenPacket, Any]]:
    """Every CREATE with its description of the interrupt, which has the form of its message."""
    for packet in seen.sent(*CREATE):
        form = RECORDS[MessageType[packet.name]]
        record: Any = parsed(form.parse, packet.payload, packet.seq)
        yield packet, record.int_desc


def processors(int_desc: Any) -> tuple[int, ...]:
    """The processors that a CREATE of 1.2 and later names."""
    return tuple(int_desc.processor_array[: int_desc.processor_count])


def mapping_of(delete: SeenPacket) -> Mapping:
    """Which mapping a DELETE names."""
    int_desc = parsed(PciDeleteInterrupt.parse, delete.payload, delete.seq).int_desc
    return int_desc.address & 0xFFFF_FFFF, int_desc.data


def mappings_until(seen: Seen, seq: int) -> set[Mapping]:
    """The mappings that the guest has at that place: told of, and not taken to be deleted."""
    live: dict[Mapping, bool] = {}
    for stamped in seen.trace[:seq]:
        event = stamped.event
        if isinstance(event, InterruptCreated | InterruptDeleted):
            mapping = event.address & 0xFFFF_FFFF, event.data
            live[mapping] = isinstance(event, InterruptCreated)
    return {mapping for mapping, is_live in live.items() if is_live}


# Configuration space


def accesses(seen: Seen) -> list[tuple[int, ConfigRead | ConfigWritten]]:
    """Every access to configuration space, in order."""
    return [
        (stamped.seq, stamped.event)
        for stamped in seen.trace
        if isinstance(stamped.event, ConfigRead | ConfigWritten)
    ]


class BarWrite(NamedTuple):
    """A write that concerns the BARs: ``registers`` and ``decoding`` as they are after it."""

    seq: int
    wslot: int
    offset: int
    was_decoding: bool
    decoding: bool
    registers: tuple[int, ...]


def bar_writes(seen: Seen) -> Iterator[BarWrite]:
    """Every write of a BAR or of the command register, with what the guest has written so far."""
    registers: dict[int, list[int]] = {}
    decoding: dict[int, bool] = {}
    for seq, event in seen.events(ConfigWritten):
        slot, was = event.wslot, decoding.get(event.wslot, False)
        words = registers.setdefault(slot, [0] * BARS)
        place, within = divmod(event.offset - PCI_BASE_ADDRESS_0, 4)
        if event.offset == PCI_COMMAND:
            decoding[slot] = bool(event.value & PCI_COMMAND_MEMORY)
        elif 0 <= place < BARS and not within and event.size == 4:
            words[place] = event.value
        else:
            continue
        yield BarWrite(seq, slot, event.offset, was, decoding.get(slot, False), tuple(words))


class Region(NamedTuple):
    """A BAR as its function's resource answer describes it."""

    place: int
    wide: bool
    size_bytes: int

    def address(self, registers: Sequence[int]) -> int:
        """Where these registers put it, with every bit that was written."""
        high = registers[self.place + 1] << 32 if self.wide else 0
        return high | registers[self.place] & ~0xF


def regions(seen: Seen, wslot: int) -> tuple[Region, ...]:
    """The memory BARs of a function, as the host told them."""
    asked = [p for p in seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS) if wslot_of(p) == wslot]
    answer = seen.answer_to(asked[0]) if asked else None
    if answer is None or len(answer.payload) < PciQResReqResponse.SIZE:
        raise NotOffered("the guest was never told of the resources of its function")
    return tuple(_regions(PciQResReqResponse.parse(answer.payload).probed_bar))


def _regions(probed: Sequence[int]) -> Iterator[Region]:
    place = 0
    while place < BARS:
        low, wide = probed[place], probed[place] >> 1 & 3 == 2
        high = probed[place + 1] if wide else 0xFFFF_FFFF
        if low & ~0xF:
            yield Region(place, wide, (1 << 64) - (high << 32 | low & ~0xF & 0xFFFF_FFFF))
        place += 2 if wide else 1
