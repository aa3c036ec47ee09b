# SPDX-License-Identifier: MIT
"""When contexts that look again and again for something will never find it. Knows no context.

Nobody but they wakes up, nothing happens that could change what they see, and so it stays. Long
before a run has been silent for as long as it may be, a loop of one millisecond would have taken
more steps than two thousand whole runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# The driver's bounded loops end sooner: vmbus_post_msg() tries a hundred times.
FRUITLESS_WAKES_MAX: Final = 2_000


class Pollers:
    """Whoever a deadline has woken since something last happened, and how often in all."""

    __slots__ = ("_progress_step", "_wakes", "_woken")

    def __init__(self) -> None:
        self._progress_step = 0
        self._wakes = 0
        self._woken: set[object] = set()

    def woke(self, context: object, progress_step: int) -> None:
        """A deadline woke a context; ``progress_step``: in which something last happened."""
        if progress_step != self._progress_step:
            self._progress_step = progress_step
            self._wakes = 0
            self._woken.clear()
        self._wakes += 1
        self._woken.add(context)

    def in_vain(self, pending: Iterable[object], progress_step: int) -> bool:
        """Whether they alone are left, of all that is ``pending``, and have looked often enough
        since something last happened."""
        return (
            self._wakes > FRUITLESS_WAKES_MAX
            and progress_step == self._progress_step
            and self._woken.issuperset(pending)
        )
