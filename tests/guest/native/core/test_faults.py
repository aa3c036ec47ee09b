# SPDX-License-Identifier: MIT
"""What would end the process, or never end, is a finding; the next run knows nothing of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from guest.native.library import TICK_MS
from tests.guest.native.core.toy_build import Toy

ROOT = Path(__file__).parents[4]
FAULTS = {
    "reads_null": ("null-dereference", "reads_null touches address 0x8"),
    "calls_null": ("null-dereference", "calls_null calls address 0"),
    "divides_by_zero": ("crash", "signal 8 in divides_by_zero"),
    "follows_poison": ("list-corruption", "follows_poison follows a poisoned pointer"),
    "writes_into_the_wild": ("crash", "0x7000dead0000, where the guest has no memory"),
    "smashes_its_stack": ("out-of-bounds", "has_an_array writes beyond its part of the stack"),
    "returns_to_what_is_no_address": ("crash", "its stack is smashed"),
    "returns_to_where_no_code_is": ("crash", "its stack is smashed"),
    "recurses_for_ever": ("crash", "deep has no stack left"),
    "loops_for_ever": ("hang", "loops_for_ever takes 20000000 steps without ever waiting"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_finding_that_says_where(toy: Toy, name: str) -> None:
    found = toy.run(name)
    assert found is not None
    kind, text = FAULTS[name]
    assert found.kind == kind
    assert text in found.text


@pytest.mark.parametrize("name", [*FAULTS, "loops_without_a_trace"])
def test_the_run_after_a_fault_is_like_any_other(toy: Toy, name: str) -> None:
    toy.run("makes_some")
    expected = toy.library.call.toy_digest()
    toy.library.call.vx_watch_time(10)
    toy.run(name)
    toy.library.call.vx_watch_time(TICK_MS)
    assert toy.run("makes_some") is None
    assert toy.library.call.toy_digest() == expected


def test_a_loop_that_touches_nothing_is_found_by_the_clock(toy: Toy) -> None:
    toy.library.call.vx_watch_time(10)
    found = toy.run("loops_without_a_trace")
    toy.library.call.vx_watch_time(TICK_MS)
    assert found is not None
    assert found.kind == "hang"
    assert toy.calls.places(found.stacks[0].addresses)[0].function == "loops_without_a_trace"


@pytest.mark.parametrize(
    "name", ["checks_null", "fills_its_array", "recurses_a_little", "loops_for_long"]
)
def test_what_only_looks_like_a_fault_is_none(toy: Toy, name: str) -> None:
    assert toy.run(name) is None


def test_a_fault_is_told_with_the_line_it_happened_at(toy: Toy) -> None:
    found = toy.run("reads_null")
    assert found is not None
    place = toy.calls.places(found.stacks[0].addresses)[0]
    line = Path(place.file).read_text().splitlines()[place.line - 1]
    assert line.startswith("TOY(reads_null)")


def test_the_same_is_found_in_a_fresh_process(toy: Toy) -> None:
    found = toy.run("uses_after_free")
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.guest.native.core.toy_build import Toy\n"
        "print(Toy(Path(sys.argv[1])).run('uses_after_free')[:3])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(toy.library.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found is not None
    assert done.stdout.strip() == str(found[:3])
