# SPDX-License-Identifier: MIT
"""Orders in which to play a test: the natural one and eight drawn by lot, named by their seeds."""

from __future__ import annotations

import pytest

from sim.choices import Chooser, RandomChooser

ORDERS = pytest.mark.parametrize("seed", [None, *range(8)])  # None: natural order


def chooser_of(seed: int | None) -> Chooser | None:
    """A new chooser for the test, since one is used up by a run."""
    return None if seed is None else RandomChooser(seed)
