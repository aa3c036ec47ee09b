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
    eject,
    function_power,
    interrupt_records,
    interrupt_requests,
    interrupts,
    limits,
    malformed,
    matrix,
    negotiation,
    neighbours,
    power,
    relations,
    releasing,
    rescind,
    resource_lists,
    resources,
    retargeting,
    ring,
    ring_words,
    slots,
    window,
)

THEMES: Final[Mapping[str, tuple[HostCase, ...]]] = {
    "negotiation": negotiation.CASES,
    "matrix": matrix.CASES,
    "relations": relations.CASES,
    "power": (*power.CASES, *window.CASES, *function_power.CASES, *neighbours.CASES),
    "resources": (
        *resources.CASES,
        *resource_lists.CASES,
        *interrupt_records.CASES,
        *releasing.CASES,
    ),
    "configuration": (*configuration.CASES, *slots.CASES, *base_registers.CASES),
    "interrupts": (*interrupts.CASES, *interrupt_requests.CASES),
    "retargeting": retargeting.CASES,
    "blocks": blocks.CASES,
    "eject": eject.CASES,
    "rescind": rescind.CASES,
    "ring": (*ring.CASES, *ring_words.CASES),
    "malformed": malformed.CASES,
    "limits": limits.CASES,
}
