# SPDX-License-Identifier: MIT
"""Hosts that are wrong about what functions need and get."""

from __future__ import annotations

from functools import partial
from typing import Final

from protocol.vpci import MessageType, PciChildMessage, PciQResReqResponse
from sim.conformance.host_port import HostUnderTest
from sim.conformance.wrong_hosts.meddled import BAR_REGISTERS, Answering, Hearing, Meddled, Request
from sim.conformance.wrong_hosts.power import ASSIGNED
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
REQUIREMENTS: Final = M.PCI_QUERY_RESOURCE_REQUIREMENTS
PREFETCHABLE: Final = 1 << 3
UNSUCCESSFUL: Final = 0xC000_0001


def _requirements(_host: Meddled, request: Request) -> bool:
    return request.kind == REQUIREMENTS


def _requirements_in_d0(host: Meddled, request: Request) -> bool:
    in_d0 = host.counts(M.PCI_BUS_D0ENTRY) > host.counts(M.PCI_BUS_D0EXIT)
    return request.kind == REQUIREMENTS and in_d0


def _assigned(_host: Meddled, request: Request) -> bool:
    return request.kind in ASSIGNED


def _assigned_after_release(host: Meddled, request: Request) -> bool:
    return request.kind in ASSIGNED and host.counts(M.PCI_RESOURCES_RELEASED) > 0


def _release(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_RESOURCES_RELEASED


def _reset(_host: Meddled, request: Request) -> bool:
    return request.kind == M.RESET_DEVICE


def _slot_0(_host: Meddled, request: Request) -> Request:
    return request._replace(payload=PciChildMessage(REQUIREMENTS, 0).build())


def _rounded_down(payload: bytes) -> bytes:
    """As if 16 bytes of descriptor and 4 of status had been rounded down."""
    del payload
    return b""


def _other_type(payload: bytes) -> bytes:
    if len(payload) < PciQResReqResponse.SIZE:
        return payload
    return payload[:4] + bytes((payload[4] ^ PREFETCHABLE,)) + payload[5:]


class TellsRegisters(Answering):
    """Tells of the base registers what was written there last."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host, _requirements, self._as_written)
        self._written = 0

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        if gpa in BAR_REGISTERS:
            self._written = value
        super().mmio_write(gpa, size, value)

    def _as_written(self, payload: bytes) -> bytes:
        if not self._written:
            return payload
        return payload[:4] + self._written.to_bytes(4, "little") + payload[8:]


ROWS: Final = (
    WrongHost(
        id="tells-no-bars",
        does="answers the query of requirements with a bare status",
        catches=("requirements-told",),
        wrap=partial(Answering, when=_requirements, change=lambda payload: payload[:8]),
    ),
    WrongHost(
        id="tells-requirements-early",
        does="refuses the query of requirements in D0",
        catches=("requirements-told-in-d0",),
        wrap=partial(Answering, when=_requirements_in_d0),
    ),
    WrongHost(
        id="tells-another-type",
        does="tells another type of BAR than the registers show",
        catches=("requirements-are-as-probed",),
        wrap=partial(Answering, when=_requirements, change=_other_type),
    ),
    WrongHost(
        id="tells-registers",
        does="tells what is in the registers instead of probing them",
        catches=("requirements-stay",),
        wrap=TellsRegisters,
    ),
    WrongHost(
        id="pads-downwards",
        does="rounds the length of the answer to RESOURCES_ASSIGNED down to eight bytes",
        catches=("resources-assigned",),
        wrap=partial(Answering, when=_assigned, change=_rounded_down),
    ),
    WrongHost(
        id="assigns-till-release",
        does="answers UNSUCCESSFUL when resources are assigned after a release",
        catches=("resources-assigned-after-release",),
        wrap=partial(Answering, when=_assigned_after_release),
    ),
    WrongHost(
        id="takes-any-slot",
        does="takes every slot for slot 0",
        catches=("empty-slot-refused", "every-bit-of-a-slot-counts"),
        wrap=partial(Hearing, when=_requirements, change=_slot_0),
    ),
    WrongHost(
        id="keeps-what-is-released",
        does="ignores RESOURCES_RELEASED",
        catches=("release-ends-interrupts",),
        wrap=partial(Hearing, when=_release),
        profile="openvmm",
    ),
    WrongHost(
        id="fails-early-release",
        does="refuses the release of what was not assigned",
        catches=("resources-released-early",),
        wrap=partial(Answering, when=_release),
    ),
    WrongHost(
        id="fails-reset",
        does="refuses a reset as no source says",
        catches=("reset-not-supported", "reset-not-supported-at-1.5"),
        wrap=partial(Answering, when=_reset),
        profile="openvmm",
    ),
    WrongHost(
        id="other-bad-data",
        does="refuses damaged requests with UNSUCCESSFUL",
        catches=(
            "other-power-state-refused",
            "misaligned-bar-refused",
            "long-bar-refused",
            "high-half-refused",
            "large-length-needs-flag",
            "495-records-refused",
            "495th-interrupt-refused",
            "delete-answered-if-asked",
            "33-vectors-refused",
            "no-processors-refused",
            "33-processors-refused",
            "delivery-mode-2-refused",
            "blocks-refused",
            "ejection-complete-refused",
            "unknown-type-refused",
            "short-request-is-bad-data",
            "host-messages-refused",
        ),
        profile="openvmm",
        knobs={"bad_request_status": UNSUCCESSFUL},
    ),
    WrongHost(
        id="refuses-in-other-words",
        does="refuses damaged requests with UNSUCCESSFUL, and those that come too early",
        catches=(
            "request-before-version",
            "second-version-query",
            "d0-exit-outside",
            "unaligned-window",
            "resources-assigned-early",
            "no-vectors",
            "interrupt-without-resources",
            "block-of-129-bytes",
            "ejection-complete-unasked",
            "unknown-type",
            "short-request",
        ),
        knobs={"bad_request_status": UNSUCCESSFUL, "out_of_order_status": UNSUCCESSFUL},
    ),
)
