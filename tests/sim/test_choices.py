# SPDX-License-Identifier: MIT
"""The only randomness of the lab: the same numbers everywhere, evenly spread."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sim.choices import RandomChooser, SplitMix64


def test_splitmix64_gives_the_published_numbers() -> None:
    """The values that the reference implementation (Vigna, splitmix64.c) prints for this seed."""
    random = SplitMix64(1234567)
    assert [random.next_u64() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 1000))
def test_a_bounded_number_is_within_its_bound(seed: int, bound: int) -> None:
    random = SplitMix64(seed)
    assert all(0 <= random.below(bound) < bound for _ in range(20))


def test_every_option_is_chosen_about_equally_often() -> None:
    chooser = RandomChooser(7)
    chosen = Counter(chooser.choose("abc") for _ in range(3000))
    assert set(chosen) == {0, 1, 2}
    assert all(900 < count < 1100 for count in chosen.values())
