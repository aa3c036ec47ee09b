# SPDX-License-Identifier: MIT
"""What kdump boots after a guest, as configuration. Makes no guest and knows no machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from guest.reference import GuestConfig
from guest.vmbus.mmio import Range
from protocol.ids import VpIndex

FOUR_GIB: Final = 1 << 32
RESERVED_BYTES_MOST: Final = 128 << 20  # vmbus_reserve_fb(): SZ_128M


def _low_base(config: GuestConfig) -> Range | None:
    """vmbus_reserve_fb() of 6.12 without lfb_base: half of what is below 4 GiB, from its start."""
    start = config.mmio_ranges[0][0] if config.mmio_ranges else FOUR_GIB
    if not 0 < start < FOUR_GIB:
        return None
    return start, start + min((FOUR_GIB - start) // 2, RESERVED_BYTES_MOST) - 1


# What a crash kernel takes for its framebuffer, by what it was told of it.
FRAMEBUFFERS: Final[Mapping[str, Callable[[GuestConfig], Range | None]]] = {
    "told": lambda config: config.framebuffer,
    "guessed": _low_base,
    "unknown": lambda _: None,
}


def crash_kernel_config(config: GuestConfig, vp: VpIndex, framebuffer: str) -> GuestConfig:
    """The kernel that kdump boots after that guest: one CPU, on the processor that crashed.

    ``nr_cpus=1 numa=off``, as kdump's command line usually has it. ``framebuffer`` is a key of
    ``FRAMEBUFFERS``.
    """
    return msgspec.structs.replace(
        config,
        vp_numbers=(vp,),
        nodes=(),
        offline_nodes=(),
        framebuffer=FRAMEBUFFERS[framebuffer](config),
    )
