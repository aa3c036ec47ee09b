# SPDX-License-Identifier: MIT
"""Ids that are made from others."""

from uuid import UUID

import pytest

from protocol.ids import logical_device_id

# In memory: 03 02 01 00  05 04  07 06  08 09 0a 0b 0c 0d 0e 0f
INSTANCE = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")


@pytest.mark.wire_note("7.6a")
def test_the_logical_device_id_swaps_bytes_and_keeps_three_bits_for_the_function() -> None:
    assert logical_device_id(INSTANCE) == 0x0405_0600
    assert logical_device_id(INSTANCE, 5) == 0x0405_0605


def test_the_logical_device_id_is_the_one_of_a_measured_retarget() -> None:
    # wire-vectors: retarget_interrupt_vp_mask for the instance of offer_channel_vpci
    instance = UUID(bytes_le=bytes.fromhex("10f4a3d24b9ce741a1b2c3d4e5f60718"))
    assert logical_device_id(instance) == 2622177760


@pytest.mark.wire_note("7.6b")
def test_a_logical_device_id_is_never_negative() -> None:
    assert logical_device_id(UUID(bytes_le=b"\xff" * 16), 7) == 0xFFFF_FFFF
