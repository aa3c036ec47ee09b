# SPDX-License-Identifier: MIT
"""What a host must do, a theme in a module or a few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.conformance.case import HostCase
from sim.conformance.host_cases import (
    base_registers,
    blocks,
    configuration,
    deferred,
    eject,
    function_power,
    interrupt_deletion,
    interrupt_records,
    interrupt_requests,
    interrupts,
    limits,
    list_timing,
    malformed,
    matrix,
    negotiation,
    neighbours,
    out_of_turn,
    power,
    relations,
    releasing,
    rescind,
    resource_lists,
    resources,
    retargeting,
    ring,
    ring_limits,
    ring_packets,
    ring_room,
    ring_words,
    slots,
    window,
)

THEMES: Final[Mapping[str, tuple[HostCase, ...]]] = {
    "negotiation": (*negotiation.CASES, *out_of_turn.CASES),
    "matrix": matrix.CASES,
    "relations": (*relations.CASES, *list_timing.CASES),
    "power": (*power.CASES, *window.CASES, *function_power.CASES, *neighbours.CASES),
    "resources": (
        *resources.CASES,
        *resource_lists.CASES,
        *interrupt_records.CASES,
        *releasing.CASES,
    ),
    "configuration": (
        *configuration.CASES,
        *slots.CASES,
        *base_registers.CASES,
        *deferred.CASES,
    ),
    "interrupts": (
        *interrupts.CASES,
        *interrupt_deletion.CASES,
        *interrupt_requests.CASES,
    ),
    "retargeting": retargeting.CASES,
    "blocks": blocks.CASES,
    "eject": eject.CASES,
    "rescind": rescind.CASES,
    "ring": (
        *ring.CASES,
        *ring_room.CASES,
        *ring_words.CASES,
        *ring_packets.CASES,
        *ring_limits.CASES,
    ),
    "malformed": malformed.CASES,
    "limits": limits.CASES,
}
