# SPDX-License-Identifier: MIT
"""Hosts that are wrong about D0, the window's place and a function's power."""

from __future__ import annotations

from functools import partial
from typing import Final

from protocol.vpci import POWER_STATE_D0, POWER_STATE_D3, MessageType, PciBusD0Entry, PciSetPower
from sim.conformance.host_bench import WINDOW
from sim.conformance.wrong_hosts.meddled import (
    WINDOWS,
    Answering,
    Hearing,
    Meddled,
    Reading,
    Request,
)
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
ASSIGNED: Final = (M.PCI_RESOURCES_ASSIGNED, M.PCI_RESOURCES_ASSIGNED2)
ENTRY_BYTES: Final = PciBusD0Entry.SIZE


def _entry(host: Meddled, request: Request) -> bool:
    first = not host.counts(M.PCI_BUS_D0ENTRY)
    return first and request.kind == M.PCI_BUS_D0ENTRY and len(request.payload) == ENTRY_BYTES


def _exit(_host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_BUS_D0EXIT


def _entry_after_exit(host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_BUS_D0ENTRY and host.counts(M.PCI_BUS_D0EXIT) > 0


def _assigned_after_exit(host: Meddled, request: Request) -> bool:
    return request.kind in ASSIGNED and host.counts(M.PCI_BUS_D0EXIT) > 0


def _first_place(_host: Meddled, request: Request) -> Request:
    return request._replace(payload=PciBusD0Entry(mmio_base=WINDOW).build())


def _stays_after_close(host: Meddled, gpa: int, _size: int, value: int) -> int:
    in_window = any(gpa in window for window in WINDOWS)
    return 0 if in_window and host.done[-1] == "close" else value


def _stays_after_exit(host: Meddled, gpa: int, _size: int, value: int) -> int:
    in_window = any(gpa in window for window in WINDOWS)
    return 0 if in_window and host.heard[-1].kind == M.PCI_BUS_D0EXIT else value


def _never_sleeps(host: Meddled, request: Request) -> bool:
    del host
    if request.kind != M.PCI_POWER_STATE_CHANGE:
        return False
    return PciSetPower.parse(request.payload).power_state == POWER_STATE_D3


def _awake(_host: Meddled, request: Request) -> Request:
    return request._replace(payload=PciSetPower(power_state=POWER_STATE_D0).build())


ROWS: Final = (
    WrongHost(
        id="fails-d0-entry",
        does="answers UNSUCCESSFUL to D0 entry",
        catches=("d0-entered",),
        wrap=partial(Answering, when=_entry),
    ),
    WrongHost(
        id="swallows-d0-exit",
        does="does not answer D0 exit",
        catches=("d0-left",),
        wrap=partial(Answering, when=_exit, change=lambda _: None),
    ),
    WrongHost(
        id="enters-d0-once",
        does="answers UNSUCCESSFUL to D0 entry after D0 exit",
        catches=("d0-entered-again",),
        wrap=partial(Answering, when=_entry_after_exit),
    ),
    WrongHost(
        id="assigns-once",
        does="answers UNSUCCESSFUL when resources are assigned after a resume",
        catches=("resources-assigned-after-resume",),
        wrap=partial(Answering, when=_assigned_after_exit),
    ),
    WrongHost(
        id="keeps-window-in-place",
        does="puts the window where it was first, whatever D0 entry says",
        catches=("window-answers-where-it-is-put",),
        wrap=partial(Hearing, when=_entry_after_exit, change=_first_place),
    ),
    WrongHost(
        id="window-outlives-channel",
        does="answers reads of the window when the channel is closed",
        catches=("window-ends-with-channel",),
        wrap=partial(Reading, change=_stays_after_close),
    ),
    WrongHost(
        id="window-outlives-d0",
        does="answers reads of the window after D0 exit",
        catches=("window-ends-with-d0",),
        wrap=partial(Reading, change=_stays_after_exit),
        profile="openvmm",
    ),
    WrongHost(
        id="never-sleeps",
        does="takes D3 for D0",
        catches=("power-state-turns-decoding",),
        wrap=partial(Hearing, when=_never_sleeps, change=_awake),
        profile="openvmm",
    ),
    WrongHost(
        id="other-d0-status",
        does="refuses a second D0 entry with another status",
        catches=("second-d0-entry",),
        knobs={"second_d0_status": 0xC000_0001},
    ),
)
