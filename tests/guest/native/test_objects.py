# SPDX-License-Identifier: MIT
"""Compiled files are made again when, and only when, something they were made of is different."""

import shutil
import subprocess
from pathlib import Path

import pytest

from guest.native.compiler import find_compiler
from guest.native.errors import BuildError
from guest.native.objects import FILES_WORTH_IT, ObjectStore
from guest.native.units import PRECOMPILED, Unit, sees_what_headers_see


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


@pytest.fixture
def many(unit: Unit) -> list[Unit]:
    """So many files with one beginning that it is read once for all of them."""
    folder = unit.source.parent
    (folder / "common.h").write_text('#ifndef IT\n#define IT\n#include "value.h"\n#endif\n')
    common = Unit("common.h", folder / "common.h", ("-x", "c-header"), makes=PRECOMPILED)
    units = []
    for number in range(FILES_WORTH_IT):
        source = folder / f"{number}.c"
        text = '#include "common.h"\nint it(void) { return VALUE; }\nconst char *name = NAME;\n'
        source.write_text(text)
        names = f'#define NAME "{number}"\n'
        units.append(Unit(source.name, source, (), names=names, common=common))
    return units


def _code(path: Path) -> str:
    command = ["objdump", "-d", "-s", "-j", ".text", "-j", ".rodata.str1.1", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return told.replace(path.name, "")


def test_headers_that_many_files_begin_with_are_read_once_and_change_nothing(
    store: ObjectStore, many: list[Unit]
) -> None:
    without = [_code(store.make(unit)) for unit in many]
    [common] = store.begin(many)
    store.read(common)
    assert [_code(store.make(unit)) for unit in many] == without
    (many[0].source.parent / "common.h").write_text("#ifndef IT\n#error read again\n#endif\n")
    assert _code(store.make(many[0])) == without[0]


def test_a_change_below_headers_that_were_read_once_is_seen(
    store: ObjectStore, many: list[Unit]
) -> None:
    store.read(store.begin(many)[0])
    old = [store.make(unit) for unit in many]
    (many[0].source.parent / "value.h").write_text("#define VALUE 22\n")
    assert set(store.find_all(many)) == {None}
    store.read(store.begin(many)[0])
    assert not set(old) & {store.make(unit) for unit in many}


def test_headers_are_not_read_for_few_files_unless_they_have_been(
    store: ObjectStore, many: list[Unit]
) -> None:
    few = many[1:]
    assert store.begin(few) == []
    store.read(store.begin(many)[0])
    assert store.begin(few) == store.begin(many)


def test_files_are_compiled_without_headers_that_cannot_be_read_before_them(
    store: ObjectStore, many: list[Unit]
) -> None:
    (many[0].source.parent / "common.h").write_text(
        "#ifndef NAME\n#error\n#endif\nenum { VALUE };\n"
    )
    store.read(store.begin(many)[0])
    assert all(store.make(unit).is_file() for unit in many)


def test_what_is_wrong_with_a_file_it_says_behind_headers_read_once_too(
    store: ObjectStore, many: list[Unit]
) -> None:
    store.read(store.begin(many)[0])
    many[0].source.write_text("int it(void) { return missing_symbol; }\n")
    with pytest.raises(BuildError, match=r"0\.c:1: .missing_symbol. undeclared"):
        store.make(many[0])


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ("#include <a.h>\n#define OWN 1\n", True),
        ('#define pr_fmt(fmt) "it: " fmt\n#include <a.h>\n', True),
        ("#define CREATE_TRACE_POINTS\n#include <a.h>\n", False),
        ("#include <a.h>\n # undef A\n#include <b.h>\n", False),
        ("int no_header_at_all;\n", True),
    ],
)
def test_what_a_file_tells_its_headers_keeps_it_from_those_of_others(
    tmp_path: Path, text: str, *, sees: bool
) -> None:
    (tmp_path / "it.c").write_text(text)
    assert sees_what_headers_see(tmp_path / "it.c") is sees
