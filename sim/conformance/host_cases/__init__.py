# SPDX-License-Identifier: MIT
"""What a host must do, a module a theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.conformance.case import HostCase
from sim.conformance.host_cases import (
    blocks,
    configuration,
    eject,
    interrupt_requests,
    interrupts,
    limits,
    malformed,
    matrix,
    negotiation,
    neighbours,
    power,
    relations,
    rescind,
    resource_lists,
    resources,
    retargeting,
    ring,
    ring_words,
)

THEMES: Final[Mapping[str, tuple[HostCase, ...]]] = {
    "negotiation": negotiation.CASES,
    "matrix": matrix.CASES,
    "relations": relations.CASES,
    "power": (*power.CASES, *neighbours.CASES),
    "resources": (*resources.CASES, *resource_lists.CASES),
    "configuration": configuration.CASES,
    "interrupts": (*interrupts.CASES, *interrupt_requests.CASES),
    "retargeting": retargeting.CASES,
    "blocks": blocks.CASES,
    "eject": eject.CASES,
    "rescind": rescind.CASES,
    "ring": (*ring.CASES, *ring_words.CASES),
    "malformed": malformed.CASES,
    "limits": limits.CASES,
}
