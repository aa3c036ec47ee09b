# SPDX-License-Identifier: MIT
"""Sizes as ``lspci`` writes them (``16K``, ``128G``), read and written. Powers of 1024."""

import re
from collections.abc import Iterable

from host.devices.problems import DeviceFileError
from protocol.pci_regs import BAR_COUNT

UNITS = "KMGTPE"
BAR_BYTES_MIN = 16  # the low four bits of a memory BAR are its type
BAR_BYTES_MAX = 1 << 60  # no machine maps more; keeps a damaged size from meaning anything
OPTION = "--bar-size"

_SIZE = re.compile(rf"(\d{{1,20}})([{UNITS}]?)(?:i?B)?", re.IGNORECASE)


def parse_size(text: str) -> int | None:
    """``16K`` to 16384; None for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    unit = match[2].upper()
    return int(match[1]) << 10 * (UNITS.index(unit) + 1 if unit else 0)


def format_size(size_bytes: int) -> str:
    """16384 to ``16K``: the largest unit that leaves a whole number."""
    for power in range(len(UNITS), 0, -1):
        if size_bytes and not size_bytes % (1 << 10 * power):
            return f"{size_bytes >> 10 * power}{UNITS[power - 1]}"
    return str(size_bytes)


def bar_size_problem(size_bytes: int, bits: int) -> str | None:
    """Why a BAR of ``bits`` address bits cannot have this size; None if it can."""
    if size_bytes & size_bytes - 1 or size_bytes < BAR_BYTES_MIN:
        return f"{format_size(size_bytes)} is no power of two from {BAR_BYTES_MIN} up"
    if size_bytes > BAR_BYTES_MAX:
        return f"{format_size(size_bytes)} is more than {format_size(BAR_BYTES_MAX)}"
    if bits == 32 and size_bytes > 1 << 31:
        return f"{format_size(size_bytes)} does not fit a 32-bit BAR"
    return None


def parse_bar_sizes(options: Iterable[str]) -> dict[int, int]:
    """``["1=128G"]`` to ``{1: 137438953472}``; raises ``DeviceFileError`` naming the option."""
    sizes: dict[int, int] = {}
    for option in options:
        index, _, text = option.partition("=")
        size = parse_size(text)
        if index.strip() not in map(str, range(BAR_COUNT)) or size is None:
            raise DeviceFileError(
                OPTION, repr(option), "not understood", "write INDEX=SIZE, for example 1=128G"
            )
        if int(index) in sizes:
            raise DeviceFileError(OPTION, repr(option), "given twice", "name each BAR once")
        problem = bar_size_problem(size, 64)
        if problem:
            raise DeviceFileError(OPTION, repr(option), problem, "give a power of two")
        sizes[int(index)] = size
    return sizes
