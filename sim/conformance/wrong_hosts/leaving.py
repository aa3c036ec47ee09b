# SPDX-License-Identifier: MIT
"""Hosts that are wrong about blocks, ejection and rescind."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from protocol.ids import Vector, VpIndex
from protocol.ring import DESCRIPTOR_BYTES, Packet
from protocol.status import STATUS_UNSUCCESSFUL, unsigned
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, message_type
from sim.conformance.host_interrupts import VECTOR, VP
from sim.conformance.host_port import NO_ANSWER, Channel
from sim.conformance.wrong_hosts.lists import is_list
from sim.conformance.wrong_hosts.meddled import (
    WINDOWS,
    Answering,
    Calling,
    Hearing,
    Meddled,
    Reading,
    Request,
    Telling,
)
from sim.conformance.wrong_hosts.negotiation import known
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
SECOND_NS: Final = 1_000_000_000


def _read(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_READ_BLOCK


def _short_write(host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_WRITE_BLOCK and host.counts(M.PCI_WRITE_BLOCK) > 0


def _counted_in(_host: Meddled, request: Request) -> Request:
    """The four bytes behind a block are taken for its own."""
    count = int.from_bytes(request.payload[12:16], "little") + 4
    payload = request.payload[:12] + count.to_bytes(4, "little") + request.payload[16:]
    return request._replace(payload=payload)


def _zeros(payload: bytes) -> bytes:
    return payload[:4] + bytes(len(payload) - 4)


def _no_notice(_host: Meddled, packet: Packet) -> Iterable[Packet]:
    return () if message_type(packet.payload) == M.PCI_INVALIDATE_BLOCK else (packet,)


def _last_mask(_host: Meddled, packet: Packet) -> Iterable[Packet]:
    if message_type(packet.payload) != M.PCI_INVALIDATE_BLOCK:
        return (packet,)
    mask = int.from_bytes(packet.payload[8:], "little")
    highest = 1 << mask.bit_length() - 1
    return (replace(packet, payload=packet.payload[:8] + highest.to_bytes(8, "little")),)


def _no_list_after_eject(host: Meddled, packet: Packet) -> Iterable[Packet]:
    return () if "eject" in host.done and is_list(packet.payload) else (packet,)


def _second_complete(host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_EJECTION_COMPLETE and request == host.heard[-1]


class EjectsSiblings(Meddled):
    """Takes the whole bus away when a function is given up twice."""

    def hear(self, request: Request) -> Request | None:
        if self.heard and _second_complete(self, request):
            self._host.order("rescind", 0)
        return request


class OrdersNothing(Meddled):
    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        if what != "rescind":
            super().order(what, channel, **arguments)


class AnswersStill(Meddled):
    """Answers requests after a rescind."""

    def receive(self, channel: Channel) -> list[Packet]:
        late = [request for request in self.bunch if "rescind" in self.done]
        found = super().receive(channel)
        size = DESCRIPTOR_BYTES + 8
        return [*found, *(Packet(VM_PKT_COMP, 0, r.transaction_id, bytes(8), size) for r in late)]


class InterruptsStill(Meddled):
    """Delivers interrupts after a rescind."""

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        came = super().interrupts()
        if self.done[-2:] == ["rescind", "raise-interrupt"]:
            came.append((VpIndex(VP), Vector(VECTOR)))
        return came


class OffersAnother(Meddled):
    """Makes a new instance id up for each offer."""

    def offers(self) -> dict[Channel, UUID]:
        offers = super().offers()
        if "reoffer" not in self.done:
            return offers
        return {channel: UUID(int=instance.int ^ 1) for channel, instance in offers.items()}


class AnswersLateOpens(Meddled):
    def open(self, channel: Channel) -> int:
        status = super().open(channel)
        return unsigned(STATUS_UNSUCCESSFUL) if status == NO_ANSWER else status


def _answers_still(host: Meddled, gpa: int, _size: int, value: int) -> int:
    in_window = any(gpa in window for window in WINDOWS)
    return 0 if in_window and "rescind" in host.done else value


def _offered_again(host: Meddled, request: Request) -> bool:
    return known(request) and "reoffer" in host.done


def _unknown_device_is_fine(status: int) -> int:
    return 0 if status else status


ROWS: Final = (
    WrongHost(
        id="forgets-blocks",
        does="does not store blocks",
        catches=("block-reads-as-written",),
        wrap=partial(Answering, when=_read, change=_zeros),
    ),
    WrongHost(
        id="takes-quirk-for-data",
        does="stores the four bytes behind a block, too",
        catches=("byte-count-is-the-truth",),
        wrap=partial(Hearing, when=_short_write, change=_counted_in),
    ),
    WrongHost(
        id="keeps-changed-blocks-to-itself",
        does="does not say that a block has changed",
        catches=("changed-block-told",),
        wrap=partial(Telling, change=_no_notice),
    ),
    WrongHost(
        id="tells-last-block",
        does="says of several changed blocks only which was the last",
        catches=("changed-blocks-merged",),
        wrap=partial(Telling, change=_last_mask),
    ),
    WrongHost(
        id="fails-reads-otherwise",
        does="refuses to read a block with a status of its own",
        catches=("unknown-block",),
        wrap=partial(Answering, when=_read),
    ),
    WrongHost(
        id="ejects-twice",
        does="sends each EJECT twice",
        catches=("eject-asks-once",),
        knobs={"repeat_eject": True},
    ),
    WrongHost(
        id="unassigns-at-eject",
        does="takes the registers away when it asks for the function",
        catches=("ejected-function-works-on", "ejected-function-interrupts-on"),
        knobs={"unassign_at_eject": True},
    ),
    WrongHost(
        id="keeps-empty-channels",
        does="keeps a channel whose last function is gone",
        catches=("channel-goes-with-last-function", "pulled-out-is-rescinded"),
        knobs={"rescind_after_last": False},
    ),
    WrongHost(
        id="lists-nothing-after-ejection",
        does="sends no list after an ejection",
        catches=("list-after-ejection",),
        wrap=partial(Telling, change=_no_list_after_eject),
    ),
    WrongHost(
        id="takes-siblings-along",
        does="takes the whole bus away when a function is given up twice",
        catches=("other-function-stays",),
        wrap=EjectsSiblings,
    ),
    WrongHost(
        id="has-no-patience",
        does="takes a function away by force after ten seconds",
        catches=("eject-waits-60-seconds",),
        knobs={"eject_timeout_ns": 10 * SECOND_NS},
    ),
    WrongHost(
        id="waits-for-ever",
        does="waits an hour before it takes a function away by force",
        catches=("overdue-eject-is-forced",),
        knobs={"eject_timeout_ns": 3600 * SECOND_NS},
    ),
    WrongHost(
        id="ejects-whatever-is-there",
        does="sends EJECT to a guest that holds no resources",
        catches=("eject-without-resources",),
        knobs={"eject_before_resources_assigned": True},
    ),
    WrongHost(
        id="never-rescinds",
        does="does not rescind",
        catches=("rescind-withdraws",),
        wrap=OrdersNothing,
    ),
    WrongHost(
        id="answers-late-opens",
        does="answers the opening of a channel that it has rescinded",
        catches=("late-open-not-answered",),
        wrap=AnswersLateOpens,
    ),
    WrongHost(
        id="answers-after-rescind",
        does="answers requests on a channel that it has rescinded",
        catches=("ring-left-after-rescind",),
        wrap=AnswersStill,
    ),
    WrongHost(
        id="window-outlives-rescind",
        does="answers reads of the window after a rescind",
        catches=("window-ends-with-rescind",),
        wrap=partial(Reading, change=_answers_still),
    ),
    WrongHost(
        id="interrupts-after-rescind",
        does="delivers interrupts of a device that is gone",
        catches=("interrupts-end-with-rescind",),
        wrap=InterruptsStill,
    ),
    WrongHost(
        id="retargets-after-rescind",
        does="answers success to a retarget for a device that is gone",
        catches=("retarget-fails-after-rescind",),
        wrap=partial(Calling, instead=lambda _code, _data: None, otherwise=_unknown_device_is_fine),
    ),
    WrongHost(
        id="offers-again-and-refuses",
        does="agrees on no version on a channel that it offered again",
        catches=("offered-again-anew",),
        wrap=partial(Answering, when=_offered_again),
    ),
    WrongHost(
        id="offers-another-instance",
        does="offers the same bus with another instance id",
        catches=("offered-again-same-instance",),
        wrap=OffersAnother,
        profile="openvmm",
    ),
)
