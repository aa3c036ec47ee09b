# SPDX-License-Identifier: MIT
"""When a lock need not be taken. Knows nothing of what the locks guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.kernel.sync import SpinLock


def alone(kernel: Kernel, lock: SpinLock) -> bool:
    """Whether nobody could notice that ``lock`` is not taken for a section that never suspends.

    Nobody holds it and nothing else could run at its two points, so the section may just be run.
    Where this says False the lock is taken as ever.
    """
    return lock.owner is None and not kernel.crowded
