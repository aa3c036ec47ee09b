# SPDX-License-Identifier: MIT
"""The sample function drivers by name, the more particular first."""

from collections.abc import Mapping
from functools import lru_cache

from guest.drivers.generic import GENERIC
from guest.drivers.gpu import GPU
from guest.drivers.nic_vf import NIC_VF
from guest.drivers.nvme import NVME
from guest.drivers.steps import DriverTable, Match
from guest.drivers.wifi import WIFI

DRIVERS: Mapping[str, DriverTable] = {
    table.name: table for table in (NVME, NIC_VF, WIFI, GPU, GENERIC)
}

KINDS_KEPT = 256  # vendors and classes whose driver is remembered


def matches(table: DriverTable, vendor: int, class_code: int) -> bool:
    """Whether the driver takes a function of that vendor and class (24 bits)."""
    return any(_match(match, vendor, class_code) for match in table.matches)


def _match(match: Match, vendor: int, class_code: int) -> bool:
    same_class = not (class_code ^ match.class_code) & match.class_mask
    return same_class and match.vendor in (None, vendor)


@lru_cache(maxsize=KINDS_KEPT)
def driver_for(vendor: int, class_code: int) -> DriverTable:
    """The driver that Linux's order of registration would give the function."""
    return next(table for table in DRIVERS.values() if matches(table, vendor, class_code))
