# SPDX-License-Identifier: MIT
"""Compiled files are made again when, and only when, something they were made of is different."""

import shutil
from pathlib import Path

import pytest

from guest.native.compiler import find_compiler
from guest.native.errors import BuildError
from guest.native.objects import ObjectStore, Unit


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing: apt-get install gcc")
    return ObjectStore(tmp_path / "objects", find_compiler(), ())


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    folder = tmp_path / "a tree # with blanks"
    folder.mkdir()
    (folder / "value.h").write_text("#define VALUE 1\n")
    (folder / "it.c").write_text('#include "value.h"\nint it(void) { return VALUE; }\n')
    return Unit("it.c", folder / "it.c", ())


def test_what_has_not_changed_is_not_compiled_again(store: ObjectStore, unit: Unit) -> None:
    assert store.find(unit) is None
    assert store.compile(unit) == store.find(unit)


def test_a_changed_header_makes_another_object_and_the_old_one_the_old(
    store: ObjectStore, unit: Unit
) -> None:
    header = unit.source.parent / "value.h"
    first = store.compile(unit)
    header.write_text("#define VALUE 22\n")
    assert store.find(unit) is None
    second = store.compile(unit)
    header.write_text("#define VALUE 1\n")
    assert store.find(unit) is None
    assert (store.compile(unit), first != second) == (first, True)


def test_a_damaged_object_is_made_again(store: ObjectStore, unit: Unit) -> None:
    made = store.compile(unit)
    whole = made.read_bytes()
    made.write_bytes(whole[:100])
    assert store.find(unit) is None
    assert store.compile(unit).read_bytes() == whole


def test_what_does_not_compile_is_told_with_its_line_and_leaves_nothing(
    store: ObjectStore, unit: Unit, tmp_path: Path
) -> None:
    unit.source.write_text("\nint it(void) { return missing_symbol; }\n")
    with pytest.raises(BuildError, match=r"it\.c:2: .missing_symbol. undeclared"):
        store.compile(unit)
    assert not list((tmp_path / "objects").iterdir())
