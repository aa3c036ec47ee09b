# SPDX-License-Identifier: MIT
"""Python's cyclic garbage collector during a run: seldom.

A run makes objects by the hundred thousand and most live to its end (the trace holds them), so the
default thresholds walk the same objects again and again: at 1,000 devices that was a third of the
time, and the cost of a device grew with their number.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS = 100_000  # allocations between two collections of the youngest; the default is 700


@contextmanager
def seldom() -> Iterator[None]:
    """Collect seldom inside, as before afterwards. Cycles are still found, only later."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
