# SPDX-License-Identifier: MIT
"""Data races: found where nothing orders two accesses, and not where something does."""

from collections.abc import Iterator

import pytest

from tests.guest.native.core.toy_build import Found, Toy


@pytest.fixture(autouse=True)
def looking(toy: Toy) -> Iterator[None]:
    low, high = toy.library.path_range()
    toy.library.call.vx_look_for_races(low, high)
    yield
    toy.library.call.vx_look_for_races(0, 0)


RACES = [
    ("writes_one", "reads"),
    ("reads", "writes_one"),
    ("writes_marked", "reads"),
    ("reads", "writes_marked"),
    ("writes_locked", "reads"),
    ("reads", "writes_locked"),
    ("starts_another_and_writes",),
]
ORDERED = [
    ("writes_locked", "reads_locked"),
    ("reads_locked", "writes_locked"),
    ("publishes", "reads_if_published"),
    ("sleeps_and_reads", "writes_and_wakes"),
    ("writes_and_starts_another",),
]
HARMLESS = [
    ("reads", "reads"),
    ("writes_one", "reads_the_neighbour"),
    ("writes_marked", "reads_marked"),
    ("writes_one", "reads_marked"),  # a plain aligned write counts as one, as the kernel has it
    ("writes_one", "writes_one"),
    ("reads", "writes_nothing_new"),
    ("writes_nothing_new", "reads"),
    ("writes_one", "reads_on_purpose"),
]


def play(toy: Toy, names: tuple[str, ...]) -> Found | None:
    return toy.run("makes_the_word", *names)


@pytest.mark.parametrize("names", RACES)
def test_what_nothing_orders_is_a_data_race(toy: Toy, names: tuple[str, ...]) -> None:
    found = play(toy, names)
    assert found is not None
    assert found.kind == "data-race"


@pytest.mark.parametrize("names", [*ORDERED, *HARMLESS])
def test_what_is_ordered_or_harmless_is_silent(toy: Toy, names: tuple[str, ...]) -> None:
    assert play(toy, names) is None


@pytest.mark.parametrize("names", RACES)
def test_nobody_looks_for_races_unless_asked(toy: Toy, names: tuple[str, ...]) -> None:
    toy.library.call.vx_look_for_races(0, 0)
    assert play(toy, names) is None


def test_a_race_is_told_with_both_stacks(toy: Toy) -> None:
    found = play(toy, ("writes_one", "reads"))
    assert found is not None
    stacks = {told.what: toy.calls.places(told.addresses)[0].function for told in found.stacks}
    assert stacks == {"access": "reads", "earlier": "writes_one"}
    assert "plain read in reads of byte 0 of" in found.text
    assert "a plain write in writes_one by writes_one" in found.text


def test_a_write_that_races_is_told_where_it_was_written(toy: Toy) -> None:
    found = play(toy, ("reads", "writes_one"))
    assert found is not None
    places = toy.calls.places(found.stacks[0].addresses)
    assert places[0].function == "writes_one"


def test_code_that_is_not_asked_about_is_left_out(toy: Toy) -> None:
    toy.library.call.vx_look_for_races(1, 2)
    assert play(toy, ("writes_one", "reads")) is None


def test_a_run_that_looks_for_races_is_the_same_run(toy: Toy) -> None:
    toy.run("makes_some")
    looked = toy.library.call.toy_digest()
    toy.library.call.vx_look_for_races(0, 0)
    toy.run("makes_some")
    assert toy.library.call.toy_digest() == looked
