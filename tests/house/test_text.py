# SPDX-License-Identifier: MIT
"""What each file must carry, and what none may contain."""

import ast
import re
import tomllib
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, below, project_files, python_files, text_of, tree_of

WORDS_IN_A_SENTENCE = 3
CODE = {".py", ".toml", ".c", ".h", ".S", ".ld", ".sh", ".in"}
C_CODE = frozenset({".c", ".h", ".S", ".ld"})
# The licence, then a comment of more than a word; a header's guard may come first.
C_HEAD = re.compile(r"/\* SPDX-License-Identifier: \S+ \*/\n(?:#.*\n)*/\*\s*\*?\s*\S+ \S+ \S+")
CODE_NAMES = {"Makefile", "run", "requirements.txt"}
DATA = ("tests/data",)  # facts and captures keep the form they came in

# Written so that this file does not match itself.
MACHINE_PATHS = re.compile(
    "|".join(("/wor" + "k/", "/opt/vv" + "env", "/roo" + "t/", r"/hom" + r"e/\w", "/tm" + r"p/\w"))
)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
WAIVER = re.compile(r"#\s*(?:type:\s*ignore|noqa)(?:\[[^\]]*\]|:\s*[A-Z0-9, ]+)?(?P<reason>.*)")


def _text_files() -> list[Path]:
    return [path for path in project_files() if path.suffix not in {".png", ".gz", ".xz"}]


def test_every_source_file_names_its_licence() -> None:
    bare = [
        str(path)
        for path in project_files()
        if (path.suffix in CODE or path.name in CODE_NAMES)
        and not below(path, *DATA)
        and "SPDX-License-Identifier: " not in "\n".join(text_of(path).splitlines()[:3])
    ]
    assert not bare


def test_every_named_licence_has_its_text() -> None:
    named = {
        match
        for path in project_files()
        if path.suffix in CODE
        for match in re.findall(
            r"^(?:#|/\*|//) SPDX-License-Identifier: (\S+)", text_of(path), re.MULTILINE
        )
    }
    assert named == {path.stem for path in project_files() if path.parts[0] == "LICENSES"}


def test_what_includes_the_kernels_headers_is_under_its_licence() -> None:
    """The C core takes no more of Linux than names of integers and of system calls."""
    includes = re.compile(r"^#include(?:_next)? <(?:linux|asm|asm-generic)/", re.MULTILINE)
    wrong = [
        str(path)
        for path in project_files()
        if path.suffix in {".c", ".h"}
        and not below(path, "guest/native/core")
        and includes.search(text_of(path))
        and "SPDX-License-Identifier: GPL-2.0-only" not in text_of(path).splitlines()[0]
    ]
    assert not wrong


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in python_files(*PACKAGES, "tests", "benchmarks", "examples")
        if tree_of(path).body and not ast.get_docstring(tree_of(path))
    ]
    assert not silent


def test_every_c_file_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in project_files()
        if path.suffix in C_CODE and not C_HEAD.match(text_of(path))
    ]
    assert not silent


def test_what_the_real_driver_is_built_with_is_installed_with_the_package() -> None:
    package = Path("guest/native")
    settings = tomllib.loads(text_of(Path("pyproject.toml")))["tool"]["setuptools"]
    patterns = settings["package-data"]["guest.native"]
    shipped = {path for pattern in patterns for path in (ROOT / package).glob(pattern)}
    needed = {ROOT / path for path in project_files() if below(path, str(package))}
    assert {path for path in needed if path.suffix in C_CODE} <= shipped


def test_the_driver_does_not_know_that_it_could_be_wrong() -> None:
    assert not [
        str(path)
        for path in python_files("guest")
        if below(path, "guest/pci_hyperv") and "defect" in text_of(path).lower()
    ]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    wrong = [
        f"{path}: {found.group()}"
        for path in _text_files()
        if not below(path, *DATA) and (found := MACHINE_PATHS.search(text_of(path)))
    ]
    assert not wrong


def test_the_lock_file_names_no_index_and_pins_every_package_by_hash() -> None:
    lines = text_of(Path("requirements.txt")).splitlines()
    pinned = [n for n, line in enumerate(lines) if re.match(r"[a-z0-9][a-z0-9._-]*==\S+ \\$", line)]
    rest = [line for n, line in enumerate(lines) if n not in pinned and not line.startswith("#")]
    assert pinned
    assert all(re.match(r"    --hash=sha256:[0-9a-f]{64}", line) for line in rest)
    assert all("--hash=" in lines[n + 1] for n in pinned)


def test_every_dependency_that_is_asked_for_is_locked() -> None:
    asked = {
        line.split(">")[0].strip()
        for name in ("requirements.in", "requirements-dev.in")
        for line in text_of(Path(name)).splitlines()
        if line and not line.startswith(("#", "-r"))
    }
    locked = set(re.findall(r"^([a-z0-9._-]+)==", text_of(Path("requirements.txt")), re.MULTILINE))
    assert asked <= locked


def test_nothing_is_left_unfinished() -> None:
    wrong = [
        f"{path}: {found.group()}"
        for path in _text_files()
        if not below(path, *DATA) and (found := UNFINISHED.search(text_of(path)))
    ]
    assert not wrong


def test_every_waiver_carries_its_reason() -> None:
    wrong = [
        f"{path}:{number}"
        for path in python_files()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (found := WAIVER.search(line))
        and '"' not in found.group()
        and len(found["reason"].strip(" #-:")) < WORDS_IN_A_SENTENCE
    ]
    assert not wrong


def test_test_names_are_sentences() -> None:
    wrong = [
        f"{path}: {node.name}"
        for path in python_files("tests", "examples")
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
        and len(node.name.split("_")) - 1 < WORDS_IN_A_SENTENCE
    ]
    assert not wrong
