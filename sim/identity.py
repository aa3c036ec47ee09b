# SPDX-License-Identifier: MIT
"""VMBus instance ids of a scenario's buses: made from the name alone, so the same in every run."""

from functools import lru_cache
from uuid import UUID, uuid5

_NAMESPACE = UUID("6d2f6bd0-5a0e-4c1e-9d4f-3a6c1b0f7e21")  # ours


@lru_cache(maxsize=4096)  # Hyper-V's limit of channels, twice
def instance_id(bus: str) -> UUID:
    """The instance id of the bus of that name."""
    return uuid5(_NAMESPACE, bus)
