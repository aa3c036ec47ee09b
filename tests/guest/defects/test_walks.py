# SPDX-License-Identifier: MIT
"""Whatever an old bug breaks in some order is told as a violation, and breaks nothing of ours."""

from __future__ import annotations

import pytest

from guest.defects.catalogue import CATALOGUE
from sim.choices import RandomChooser
from sim.player import outcome
from sim.setup import Lab, read_setup

WALKS = 2


@pytest.mark.parametrize("name", [bug.id for bug in CATALOGUE.values() if bug.expect is not None])
def test_a_random_walk_with_an_old_bug_ends_in_a_verdict(name: str) -> None:
    lab = Lab(read_setup(CATALOGUE[name].scenario, name))
    for seed in range(WALKS):
        outcome(lab.world(RandomChooser(seed)))
