# SPDX-License-Identifier: MIT
"""Delta debugging: from many items that together fail to a few of which none can be left out.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002,
section 3.2. Knows nothing of what the items are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def minimised(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """The items that are left when no single one can go; their order stays.

    ``items`` fail. ``fails`` may say False because it was asked too often: then what was reached
    so far is returned, which still fails. Asks at most n² + 3n times for n items.
    """
    kept = tuple(items)
    parts = 2
    while kept:
        parts = min(parts, len(kept))
        found = next((found for found in _smaller(kept, parts) if fails(found[0])), None)
        if found is not None:
            kept, parts = found
        elif parts == len(kept):
            break
        else:
            parts *= 2
    return kept


def _smaller(kept: tuple[T, ...], parts: int) -> Iterator[tuple[tuple[T, ...], int]]:
    """What to try and into how many parts to cut it next: each part, then all but each part."""
    if len(kept) == 1:
        yield (), 2
        return
    bounds = [len(kept) * part // parts for part in range(parts + 1)]
    spans = list(pairwise(bounds))
    yield from ((kept[start:end], 2) for start, end in spans)
    if parts > 2:  # of two parts, each is all but the other
        yield from ((kept[:start] + kept[end:], parts - 1) for start, end in spans)
