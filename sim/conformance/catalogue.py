# SPDX-License-Identifier: MIT
"""All cases of both sides, by theme. Knows no case."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from sim.conformance.case import GuestCase
from sim.conformance.guest_cases import (
    block_results,
    blocks,
    channel_moves,
    configuration,
    control_answers,
    control_malformed,
    d0_entry,
    d0_exit,
    d0_exit_timeout,
    d0_refusal,
    eject,
    interrupt_answers,
    interrupt_requests,
    interrupts,
    list_changes,
    list_timing,
    malformed,
    multi_msi,
    open_files,
    opening,
    polling,
    posting,
    refused_interrupts,
    relations,
    rescind,
    rescind_waits,
    resources,
    retargeting,
    ring,
    ring_limits,
    ring_memory,
    suspend,
    vmbus_waits,
)
from sim.conformance.guest_cases import negotiation as guest_negotiation
from sim.conformance.host_cases import THEMES as HOST_THEMES

GUEST_THEMES: Final[Mapping[str, tuple[GuestCase, ...]]] = {
    "negotiation": guest_negotiation.CASES,
    "relations": (*relations.CASES, *list_timing.CASES, *list_changes.CASES),
    "power": (
        *d0_entry.CASES,
        *d0_refusal.CASES,
        *d0_exit.CASES,
        *d0_exit_timeout.CASES,
        *suspend.CASES,
    ),
    "resources": resources.CASES,
    "configuration": configuration.CASES,
    "interrupts": (
        *interrupt_requests.CASES,
        *multi_msi.CASES,
        *polling.CASES,
        *refused_interrupts.CASES,
        *interrupt_answers.CASES,
        *interrupts.CASES,
    ),
    "retargeting": retargeting.CASES,
    "blocks": (*blocks.CASES, *block_results.CASES),
    "eject": (*eject.CASES, *open_files.CASES),
    "rescind": (*rescind.CASES, *rescind_waits.CASES),
    "ring": (
        *opening.CASES,
        *control_answers.CASES,
        *posting.CASES,
        *vmbus_waits.CASES,
        *channel_moves.CASES,
        *ring.CASES,
        *ring_limits.CASES,
        *ring_memory.CASES,
    ),
    "malformed": (*malformed.CASES, *control_malformed.CASES),
}
__all__ = ["GUEST_CASES", "GUEST_THEMES", "HOST_CASES", "HOST_THEMES"]

HOST_CASES: Final = tuple(chain.from_iterable(HOST_THEMES.values()))
GUEST_CASES: Final = tuple(chain.from_iterable(GUEST_THEMES.values()))
