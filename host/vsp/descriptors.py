# SPDX-License-Identifier: MIT
"""OpenVMM's resource lists: partial descriptors to base registers and back.

A length beyond 32 bits is stored shifted, by 8, 16 or 32 as one of three flags says, and rounded
up on the way out.
"""

from typing import Final

from protocol.openvmm import OvPartialResourceDescriptor

Bars = tuple[int, int, int, int, int, int]
Resource = tuple[int, int]  # (address, length in bytes); length 0 is "none"

BAR_COUNT: Final = 6
TYPE_MEMORY: Final = 3
TYPE_MEMORY_LARGE: Final = 7
SHIFT_OF_FLAG: Final = {1 << 9: 8, 1 << 10: 16, 1 << 11: 32}  # large_40, large_48, large_64
BAR_TYPE_MASK: Final = 0x6
BAR_TYPE_64: Final = 0x4
BAR_FLAG_BITS: Final = 0xF
NO_RESOURCE: Final = OvPartialResourceDescriptor(0, 0, 0, 0, 0, 0)


class BarFault(Exception):
    """A resource no base register of this function can hold; its text says which and why."""


def resource_of(descriptor: OvPartialResourceDescriptor) -> Resource:
    """Decode one descriptor; anything that is no memory counts as none.

    Raises BarFault for a large descriptor that does not say how its length is shifted.
    """
    if descriptor.resource_type == TYPE_MEMORY:
        return descriptor.address, descriptor.adjusted_len
    if descriptor.resource_type != TYPE_MEMORY_LARGE:
        return 0, 0
    for flag, shift in SHIFT_OF_FLAG.items():
        if descriptor.flags & flag:
            return descriptor.address, descriptor.adjusted_len << shift
    raise BarFault("large memory resource without a length flag")


def descriptor_of(resource: Resource) -> OvPartialResourceDescriptor:
    """Encode one resource; a large length is rounded up to what its shift can say."""
    address, length = resource
    if not length:
        return NO_RESOURCE
    if length < 1 << 32:
        return OvPartialResourceDescriptor(TYPE_MEMORY, 0, 0, address, length, 0)
    for flag, shift in SHIFT_OF_FLAG.items():
        if length < 1 << 32 + shift or shift == 32:
            shifted = ((length - 1) >> shift) + 1
            return OvPartialResourceDescriptor(TYPE_MEMORY_LARGE, 0, flag, address, shifted, 0)
    raise AssertionError("the last shift takes every length")


def bars_of(resources: tuple[Resource, ...], probed: tuple[int, ...]) -> Bars:
    """Return the six base registers for these resources, 0 where there is none.

    Raises BarFault where a resource sits on the high half of a 64-bit register, is not aligned to
    its register, or is longer than it.
    """
    bars = [0] * BAR_COUNT
    high_half = False
    for index, (address, length) in enumerate(resources):
        if not length:
            high_half = False
            continue
        if high_half:
            raise BarFault(f"resource {index} is the high half of a 64-bit register")
        mask = probed[index]
        high_half = mask & BAR_TYPE_MASK == BAR_TYPE_64 and index + 1 < BAR_COUNT
        width = 64 if high_half else 32
        if high_half:
            mask |= probed[index + 1] << 32
        if address & ~(mask & ~BAR_FLAG_BITS):
            raise BarFault(f"resource {index} at {address:#x} is not aligned")
        if length > _bar_length(mask, width):
            raise BarFault(f"resource {index} of {length:#x} bytes is too long")
        bars[index] = address & 0xFFFF_FFFF
        if high_half:
            bars[index + 1] = address >> 32
    return bars[0], bars[1], bars[2], bars[3], bars[4], bars[5]


def resources_of(bars: Bars, probed: tuple[int, ...]) -> tuple[Resource, ...]:
    """Return what the base registers hold, one per register, none on a high half."""
    found: list[Resource] = [(0, 0)] * BAR_COUNT
    index = 0
    while index < BAR_COUNT:
        mask, address, width = probed[index], bars[index], 32
        if mask & BAR_TYPE_MASK == BAR_TYPE_64 and index + 1 < BAR_COUNT:
            mask |= probed[index + 1] << 32
            address |= bars[index + 1] << 32
            width = 64
        if mask & ~BAR_FLAG_BITS:
            found[index] = address & ~BAR_FLAG_BITS, _bar_length(mask, width)
        index += width // 32
    return tuple(found)


def _bar_length(mask: int, width: int) -> int:
    return (~mask & ((1 << width) - 1) | BAR_FLAG_BITS) + 1
