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
    interrupts,
    limits,
    malformed,
    matrix,
    negotiation,
    power,
    relations,
    rescind,
    resources,
    retargeting,
    ring,
)

THEMES: Final[Mapping[str, tuple[HostCase, ...]]] = {
    "negotiation": negotiation.CASES,
    "matrix": matrix.CASES,
    "relations": relations.CASES,
    "power": power.CASES,
    "resources": resources.CASES,
    "configuration": configuration.CASES,
    "interrupts": interrupts.CASES,
    "retargeting": retargeting.CASES,
    "blocks": blocks.CASES,
    "eject": eject.CASES,
    "rescind": rescind.CASES,
    "ring": ring.CASES,
    "malformed": malformed.CASES,
    "limits": limits.CASES,
}
