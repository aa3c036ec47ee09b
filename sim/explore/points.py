# SPDX-License-Identifier: MIT
"""What the name of a point says about what is touched there. Knows the names' form, no kernel."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

POINTS_KEPT: Final = 4096  # a driver has some hundred

# Points whose second word is the object that whoever stopped there touches next. Elsewhere the name
# is that of a shared field (``hbus.state``, ``channel.rescind``), or of no object.
NAMES_OBJECT: Final = frozenset(
    {"lock", "unlock", "complete", "queue_work", "flush_workqueue", "tasklet_disable"}
    | {"tasklet_enable"}
)
PRIVATE: Final = frozenset({"start", "kfree", "kfree_rcu", "kzalloc", "local_irq_restore", "join"})


@lru_cache(maxsize=POINTS_KEPT)
def touched(point: str) -> str | None:
    """The object touched at that point: empty if none is shared, None if nobody can tell."""
    if not point:
        return None  # a host action
    kind, _, thing = point.partition(" ")
    if kind in PRIVATE:
        return ""
    return thing if kind in NAMES_OBJECT else point
