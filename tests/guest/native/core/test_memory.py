# SPDX-License-Identifier: MIT
"""The C core's memory: each misuse is found, and the lawful use beside it is not."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.guest.native.core.toy_build import Found, Toy


def found(toy: Toy, *names: str) -> Found:
    result = toy.run(*names)
    assert result is not None, "the toy's function goes wrong"
    return result


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uses_after_free", "use-after-free"),
        ("frees_twice", "double-free"),
        ("frees_what_was_never_allocated", "double-free"),
        ("writes_behind", "out-of-bounds"),
        ("writes_all_of_it_and_more", "out-of-bounds"),
        ("reads_before", "out-of-bounds"),
        ("completes_a_dead_waiter", "dead-stack"),
    ],
)
def test_misused_memory_is_found(toy: Toy, name: str, kind: str) -> None:
    assert found(toy, name).kind == kind


@pytest.mark.parametrize(
    "name",
    [
        *("frees_after_use", "frees_two", "writes_to_the_end", "completes_a_living_waiter"),
        *("writes_all_of_it", "writes_all_of_it_from_its_middle"),
    ],
)
def test_lawful_use_is_silent(toy: Toy, name: str) -> None:
    assert toy.run(name) is None


def test_a_use_after_free_is_told_with_who_allocated_and_who_freed(toy: Toy) -> None:
    result = found(toy, "uses_after_free")
    assert "write of 8 bytes of an object of make_node, freed by uses_after_free" in result.text
    assert functions(toy, result) == {
        "access": ["uses_after_free", "first_step"],
        "freed": ["uses_after_free", "first_step"],
        "allocated": ["make_node", "uses_after_free", "first_step"],
    }


def functions(toy: Toy, result: Found) -> dict[str, list[str]]:
    return {
        told.what: [place.function for place in toy.calls.places(told.addresses)]
        for told in result.stacks
    }


def test_a_stack_has_the_lines_of_the_source(toy: Toy) -> None:
    result = found(toy, "uses_after_free")
    for told in result.stacks:
        for place in toy.calls.places(told.addresses):
            if place.function == "first_step":
                continue
            assert place.file.endswith("/toy/memory.c")
            text = Path(place.file).read_text().splitlines()[place.line - 1]
            assert any(word in text for word in ("value = 2", "toy_free", "toy_new", "make_node"))


def test_a_dead_frame_is_told_with_where_it_returned(toy: Toy) -> None:
    result = found(toy, "completes_a_dead_waiter")
    assert result.text == "waiter of leaves_waiter, which has returned, is used"
    assert set(functions(toy, result)) == {"access", "initialised", "returned"}
    assert "leaves_waiter" in functions(toy, result)["returned"]


def test_a_waiter_of_a_context_that_sleeps_is_alive(toy: Toy) -> None:
    assert toy.run("parks_with_a_waiter", "completes_for_another") is None
    assert toy.log == ["done"]


def test_the_stack_of_a_context_that_has_ended_is_dead(toy: Toy) -> None:
    assert found(toy, "ends_with_a_waiter", "writes_to_an_ended_stack").kind == "dead-stack"


def test_the_stack_of_a_context_that_has_not_ended_is_alive(toy: Toy) -> None:
    steps = count()  # the second context runs when the first is at its point

    def second_in_between(_: Sequence[int]) -> int:
        return 1 if next(steps) == 1 else 0

    names = ("ends_with_a_waiter", "writes_to_an_ended_stack")
    assert toy.run(*names, choose=second_in_between) is None


@pytest.mark.parametrize(("name", "lost"), [("loses_an_object", 1), ("loses_a_list", 2)])
def test_what_nobody_leads_to_any_more_is_lost(toy: Toy, name: str, lost: int) -> None:
    toy.run(name)
    assert toy.library.lost() == {"16 bytes of make_node": lost}


@pytest.mark.parametrize("name", ["keeps_an_object", "keeps_a_list"])
def test_what_somebody_leads_to_is_not_lost(toy: Toy, name: str) -> None:
    toy.run(name)
    assert toy.library.lost() == {}


def test_every_run_begins_with_the_same_memory(toy: Toy) -> None:
    digests = set()
    for before in ("uses_after_free", "makes_some", "writes_behind"):
        toy.run(before)
        assert toy.run("makes_some") is None
        digests.add(toy.library.call.toy_digest())
    assert len(digests) == 1


def test_another_run_has_another_memory(toy: Toy) -> None:
    toy.run("makes_some")
    digest = toy.library.call.toy_digest()
    toy.run("makes_some", "uses_after_free")
    assert toy.library.call.toy_digest() != digest


@pytest.mark.parametrize("again", [(), ("maps_two_rings",), ("maps_two_rings_elsewhere",)])
def test_rings_are_seen_twice_wherever_those_of_the_run_before_lay(
    toy: Toy, again: Sequence[str]
) -> None:
    for name in ("maps_two_rings", *again):
        assert toy.run(name) is None
        assert toy.log == ["the same", "known"] * 3


def test_pages_that_lie_apart_are_seen_in_one_range(toy: Toy) -> None:
    assert toy.run("maps_pages_that_lie_apart") is None
    assert toy.log == ["the same"]
