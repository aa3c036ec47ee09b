# SPDX-License-Identifier: MIT
"""PCI addresses as events have them, taken apart for laws that join them with slots."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from protocol.ids import Devfn, devfn_to_wslot

ADDRESSES_KEPT = 4096  # of all devices of the largest built-in scenario, and more


class Address(NamedTuple):
    """``454f:00:02.0``: its domain, and the wire's number of its slot."""

    domain: int
    wslot: int


@lru_cache(maxsize=ADDRESSES_KEPT)
def address_of(text: str) -> Address:
    """Take an address apart; a vPCI bus is always bus 0 of its domain."""
    domain, _, rest = text.partition(":")
    device, _, function = rest.partition(":")[2].partition(".")
    devfn = Devfn(int(device, 16) << 3 | int(function, 16))
    return Address(int(domain, 16), int(devfn_to_wslot(devfn)))
