# SPDX-License-Identifier: MIT
"""The codec benchmark's rows, and what they must show at least."""

from sim.bench.codec import rows
from sim.bench.unit import simpy_timeouts_per_s

LEAST_TIMES_FASTER = {"vmbus_channel_initiate_contact": 7, "pci_bus_relations2": 6}


def test_every_row_has_the_promised_keys_and_the_derived_codec_is_fast_enough() -> None:
    table = {row["struct"]: row for row in rows(slice_s=0.002, rounds=5)}
    for row in table.values():
        assert set(row) >= {
            "struct",
            "size",
            "derived_parse_per_s",
            "construct_parse_per_s",
            "derived_build_per_s",
            "construct_build_per_s",
            "simpy_timeouts_per_s",
        }
    assert table["vmbus_channel_initiate_contact"]["size"] == 40
    assert table["pci_bus_relations2"]["size"] == 8 + 21 * 28
    for struct, times in LEAST_TIMES_FASTER.items():
        row = table[struct]
        assert row["derived_parse_per_s"] >= times * row["construct_parse_per_s"], struct


def test_the_unit_is_a_rate() -> None:
    assert simpy_timeouts_per_s() > 1000
