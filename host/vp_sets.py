# SPDX-License-Identifier: MIT
"""Sets of virtual processors as hypercalls write them. Knows no VP that exists, only indices.

A 64-bit mask names VPs 0 to 63; a sparse set names 4,096 by up to 64 banks of 64, of which only
those flagged in ``valid_bank_mask`` are present (TLFS: HV_VP_SET; Linux ``cpumask_to_vpset``).
"""

from collections.abc import Sequence

from protocol.hypercall import HV_VCPUS_PER_SPARSE_BANK
from protocol.ids import VpIndex


def vps_of_mask(mask: int, base: int = 0) -> tuple[VpIndex, ...]:
    """The VPs of a 64-bit mask whose bit 0 is VP ``base``, ascending."""
    vps = []
    while mask:
        lowest = mask & -mask
        vps.append(VpIndex(base + lowest.bit_length() - 1))
        mask ^= lowest
    return tuple(vps)


def vps_of_banks(valid_bank_mask: int, banks: Sequence[int]) -> tuple[VpIndex, ...]:
    """The VPs of a sparse set, ascending.

    ``banks``: one 64-bit word for each bit set in ``valid_bank_mask``, lowest bank first; a bank
    that is present may be empty (Linux sends every bank from 0 to the last one it needs).
    :raises ValueError: the number of banks is another than the mask says.
    """
    numbers = vps_of_mask(valid_bank_mask)
    if len(numbers) != len(banks):
        raise ValueError(f"{len(banks)} banks, but {len(numbers)} are flagged valid")
    vps: list[VpIndex] = []
    for number, bank in zip(numbers, banks, strict=True):
        vps += vps_of_mask(bank, number * HV_VCPUS_PER_SPARSE_BANK)
    return tuple(vps)
