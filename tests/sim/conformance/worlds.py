# SPDX-License-Identifier: MIT
"""The guest's cases by the world that they play. Plays none."""

from __future__ import annotations

from collections import defaultdict

from sim.conformance.case import GuestCase
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.lives import WorldKey, world_of


def worlds_at(version: str) -> list[list[GuestCase]]:
    """The cases of each world that is played at a version."""
    found: defaultdict[WorldKey, list[GuestCase]] = defaultdict(list)
    for case in GUEST_CASES:
        if version in case.versions:
            found[world_of(case, version)].append(case)
    return list(found.values())
