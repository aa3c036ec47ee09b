# SPDX-License-Identifier: MIT
"""PCI domain numbers: one per bus, taken from the instance id, another one on collision."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

HVPCI_DOM_MAP_SIZE = 64 * 1024
IDS_KEPT = 4096  # instance ids whose numbers are remembered
HVPCI_DOM_INVALID = 0  # domain 0 belongs to the emulated bus of generation 1 VMs


class DomainMap:
    """``hvpci_dom_map``: which domain numbers are taken."""

    __slots__ = ("_lowest", "_taken")

    def __init__(self) -> None:
        self._taken = {HVPCI_DOM_INVALID}
        self._lowest = HVPCI_DOM_INVALID  # no lower number is free

    @property
    def taken(self) -> int:
        """How many numbers buses hold."""
        return len(self._taken) - 1  # less the invalid one

    def holds(self, dom: int) -> bool:
        """Whether the number is taken."""
        return dom in self._taken

    def hv_get_dom_num(self, dom: int) -> int:
        """Take ``dom``, or the lowest free number if it is taken; HVPCI_DOM_INVALID if none is."""
        taken = self._taken
        if dom in taken:
            while self._lowest in taken:
                self._lowest += 1
            if self._lowest == HVPCI_DOM_MAP_SIZE:
                return HVPCI_DOM_INVALID
            dom = self._lowest
        taken.add(dom)
        return dom

    def hv_put_dom_num(self, dom: int) -> None:
        """Give a number back."""
        self._taken.discard(dom)
        self._lowest = min(self._lowest, dom)


@lru_cache(maxsize=IDS_KEPT)
def requested_domain(instance: UUID) -> int:
    """Bytes 4 and 5 of the instance id as it lies in memory: usually unique."""
    guid = instance.bytes_le
    return guid[5] << 8 | guid[4]
