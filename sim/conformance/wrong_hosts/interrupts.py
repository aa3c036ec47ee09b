# SPDX-License-Identifier: MIT
"""Hosts that are wrong about interrupts: granting, delivering, moving and deleting them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from msgspec.structs import replace

from protocol.hypercall import HVCALL_RETARGET_INTERRUPT, HvRetargetDeviceInterrupt
from protocol.ring import Packet
from protocol.vpci import MessageType, PciCreateIntResponse
from sim.conformance.host_interrupts import VECTOR, VP
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrong_hosts.meddled import (
    Answering,
    Calling,
    Hearing,
    Interrupting,
    Meddled,
    Request,
)
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
CREATES: Final = (
    M.PCI_CREATE_INTERRUPT_MESSAGE,
    M.PCI_CREATE_INTERRUPT_MESSAGE2,
    M.PCI_CREATE_INTERRUPT_MESSAGE3,
)
DELETE: Final = M.PCI_DELETE_INTERRUPT_MESSAGE
MODE_AT: Final = 12  # of the form of 1.4
OTHER_STATUS: Final = 0x41  # no HV_STATUS that anybody would give here
Came = list[tuple[int, int]]


class TellsOfInterrupts(Meddled):
    """Sends a list with each interrupt."""

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        super().order(what, channel, **arguments)
        if what == "raise-interrupt":
            super().order("relations", channel, wslots=(0,))


def _create(_host: Meddled, request: Request) -> bool:
    return request.kind in CREATES


def _fourth_create(host: Meddled, request: Request) -> bool:
    return request.kind in CREATES and host.counts(*CREATES) == 3


def _lowest_priority(_host: Meddled, request: Request) -> bool:
    return request.kind in CREATES and request.payload[MODE_AT] == 1


def _old_form(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_CREATE_INTERRUPT_MESSAGE


def _delete2(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_DELETE_INTERRUPT_MESSAGE2


def _silent_delete(_host: Meddled, request: Request) -> bool:
    return request.kind == DELETE and not request.flags


def _behind_delete(host: Meddled, _request: Request) -> bool:
    return bool(host.bunch) and host.bunch[-1].kind == DELETE


def _one_message(payload: bytes) -> bytes:
    answer = PciCreateIntResponse.parse(payload)
    return replace(answer, int_desc=replace(answer.int_desc, vector_count=1)).build()


def _with_data(payload: bytes) -> bytes:
    answer = PciCreateIntResponse.parse(payload)
    return replace(answer, int_desc=replace(answer.int_desc, data=VECTOR)).build()


def _elsewhere(payload: bytes) -> bytes:
    answer = PciCreateIntResponse.parse(payload)
    moved = replace(answer.int_desc, address=answer.int_desc.address ^ 0x10_0000)
    return replace(answer, int_desc=moved).build()


class Repeats(Meddled):
    """Answers a request for interrupts, the first being 1, with an earlier one's message."""

    def __init__(self, host: HostUnderTest, *, nth: int, earlier: int) -> None:
        super().__init__(host)
        self._nth = nth
        self._earlier = earlier
        self._granted: list[bytes] = []

    def answer(self, packet: Packet) -> Iterable[Packet]:
        if self.heard[-1].kind not in CREATES:
            return (packet,)
        self._granted.append(packet.payload)
        if len(self._granted) != self._nth:
            return (packet,)
        return (replace(packet, payload=self._granted[self._earlier - 1]),)


def delivering(before: tuple[int, int], after: tuple[int, int]) -> partial[Interrupting]:
    """A host that delivers one (VP, vector) as another."""
    return partial(
        Interrupting, change=lambda _, came: [after if one == before else one for one in came]
    )


def _targets(data: bytes) -> int:
    """How many processors a retarget names."""
    target = HvRetargetDeviceInterrupt.parse(data).int_target
    mask = target.set_words[1] if target.set_words else target.vp_mask
    return mask.bit_count()


def _swallowed(code: int, data: bytes) -> int | None:
    return 0 if code == HVCALL_RETARGET_INTERRUPT and _targets(data) == 1 else None


def _to_all(host: Interrupting, came: Came) -> Came:
    if any(_targets(data) > 1 for data, _ in host.retargets):
        return [*came, *((vp + 1, vector) for vp, vector in came)]
    return came


def _half_done(host: Interrupting, came: Came) -> Came:
    if any(status for _, status in host.retargets):
        return [(vp, vector + 1) for vp, vector in came]
    return came


def _to_last(host: Interrupting, came: Came) -> Came:
    if any(_targets(data) > 1 for data, _ in host.retargets):
        return [(vp + 1, vector) for vp, vector in came]
    return came


def _all_deleted(host: Interrupting, came: Came) -> Came:
    others = host.counts(*CREATES) > 1 and host.heard[-1].kind == DELETE
    return [] if others else came


ROWS: Final = (
    WrongHost(
        id="grants-without-message",
        does="answers a request for interrupts with a bare status",
        catches=("interrupt-granted",),
        wrap=partial(Answering, when=_create, change=lambda payload: payload[:8]),
    ),
    WrongHost(
        id="repeats-message",
        does="gives the same message to two interrupts",
        catches=("messages-are-apart",),
        wrap=partial(Repeats, nth=3, earlier=2),
    ),
    WrongHost(
        id="serves-lists-whole-or-not",
        does="gives back the entries of a list of which one failed",
        catches=("first-records-stay",),
        wrap=partial(Repeats, nth=2, earlier=1),
        profile="openvmm",
    ),
    WrongHost(
        id="gives-data",
        does="gives messages with data",
        catches=("message-has-address-only",),
        wrap=partial(Answering, when=_create, change=_with_data),
        profile="openvmm",
    ),
    WrongHost(
        id="delivers-to-vp-0",
        does="delivers an interrupt to VP 0 instead of VP 1",
        catches=("interrupt-delivered",),
        wrap=delivering((VP, VECTOR), (0, VECTOR)),
    ),
    WrongHost(
        id="delivers-as-the-first",
        does="delivers the second interrupt as the first",
        catches=("each-message-its-own-vector",),
        wrap=delivering((2, VECTOR + 1), (VP, VECTOR)),
    ),
    WrongHost(
        id="ignores-data",
        does="does not look at a message's data",
        catches=("block-delivers-by-data",),
        knobs={"msi_table": "software"},
    ),
    WrongHost(
        id="counts-one-message",
        does="counts one message in every answer",
        catches=("message-count-repeated",),
        wrap=partial(Answering, when=_create, change=_one_message),
        profile="openvmm",
    ),
    WrongHost(
        id="ignores-delete",
        does="ignores a delete that wants no completion",
        catches=("deleted-interrupt-ends",),
        wrap=partial(Hearing, when=_silent_delete),
    ),
    WrongHost(
        id="deletes-all",
        does="deletes all interrupts of a function with one of them",
        catches=("other-interrupts-stay",),
        wrap=partial(Interrupting, change=_all_deleted),
    ),
    WrongHost(
        id="loses-what-follows-delete",
        does="loses the request that comes right behind a delete",
        catches=("requests-served-in-order",),
        wrap=partial(Hearing, when=_behind_delete),
    ),
    WrongHost(
        id="fails-delete-form-2",
        does="does not know DELETE_INTERRUPT_MESSAGE2",
        catches=("delete-form-2",),
        wrap=partial(Answering, when=_delete2),
        profile="openvmm",
    ),
    WrongHost(
        id="never-reuses-entries",
        does="gives a fresh entry each time",
        catches=("lowest-entry-reused",),
        wrap=partial(Answering, when=_fourth_create, change=_elsewhere),
        profile="openvmm",
    ),
    WrongHost(
        id="refuses-lowest-priority",
        does="refuses lowest-priority delivery",
        catches=("lowest-priority-granted",),
        wrap=partial(Answering, when=_lowest_priority),
        profile="openvmm",
    ),
    WrongHost(
        id="refuses-other-forms",
        does="takes requests for interrupts in the version's form only",
        catches=("every-form-at-every-version",),
        wrap=partial(Answering, when=_old_form),
        profile="openvmm",
    ),
    WrongHost(
        id="refuses-any-processor",
        does="refuses a mask of all ones",
        catches=("any-processor-granted",),
        knobs={"all_processors_mask": False},
        version="1.1",
    ),
    WrongHost(
        id="grants-16-vectors",
        does="grants no more than 16 vectors in a block",
        catches=("32-vectors-granted",),
        knobs={"max_vectors": 16},
    ),
    WrongHost(
        id="says-it-retargets",
        does="answers success to a retarget and does nothing",
        catches=("retargeted-interrupt-moves",),
        wrap=partial(Calling, instead=_swallowed),
    ),
    WrongHost(
        id="multicasts",
        does="delivers an interrupt to all of the processors it was retargeted to",
        catches=("retargeted-to-set-comes-once",),
        wrap=partial(Interrupting, change=_to_all),
    ),
    WrongHost(
        id="retargets-by-half",
        does="changes the vector before it refuses a retarget",
        catches=("failed-retarget-changes-nothing",),
        wrap=partial(Interrupting, change=_half_done),
    ),
    WrongHost(
        id="last-of-set",
        does="delivers an interrupt to the last of the processors it was retargeted to",
        catches=("first-of-set-takes",),
        wrap=partial(Interrupting, change=_to_last),
        profile="openvmm",
    ),
    WrongHost(
        id="fails-retarget-otherwise",
        does="fails retargets with a status of its own",
        catches=("retarget-of-unknown-device", "retarget-of-unknown-message"),
        wrap=partial(
            Calling,
            instead=lambda _code, _data: None,
            otherwise=lambda status: status and OTHER_STATUS,
        ),
        profile="openvmm",
    ),
    WrongHost(
        id="knows-no-processors",
        does="fails retargets to processors that are not there with a status of its own",
        catches=("retarget-to-unknown-processor",),
        wrap=partial(
            Calling,
            instead=lambda _code, _data: None,
            otherwise=lambda status: status and OTHER_STATUS,
        ),
    ),
    WrongHost(
        id="grants-to-nobody",
        does="answers a request for a processor that is not there with UNSUCCESSFUL",
        catches=("unknown-processor",),
        wrap=partial(Answering, when=_create),
    ),
    WrongHost(
        id="grants-64-interrupts",
        does="has room for 64 interrupts of a function",
        catches=("whole-msix-table-granted",),
        knobs={"max_interrupts": 64},
    ),
    WrongHost(
        id="tells-of-interrupts",
        does="sends its list again with each interrupt",
        catches=("host-silent-at-work",),
        wrap=TellsOfInterrupts,
    ),
)
