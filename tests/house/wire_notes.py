# SPDX-License-Identifier: MIT
"""The statements of the wire notes, and the tests that are marked to check them.

Reads source text, so that a mark counts for what it stands on: a test that always runs. Whether
the test checks what its mark says, nobody can read off it.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeGuard

from tests.house.sources import python_files, text_of, tree_of

FILE = Path("tests/data/wire-notes.toml")
MARK = "wire_note"
# What keeps pytest from running a function as a test, now or on some machine.
NOT_RUN = frozenset({"skip", "skipif", "xfail", "importorskip", "fixture"})


class Statement(NamedTuple):
    """One statement; ``nobody`` names whom a test would have to watch and cannot, or is empty."""

    id: str
    says: str
    nobody: str


class Mark(NamedTuple):
    """One mark: where it stands, its ids, and whether that is a test that always runs."""

    place: str
    ids: tuple[str, ...]
    counts: bool


@cache
def _file() -> Mapping[str, Mapping[str, str | Mapping[str, str]]]:
    return tomllib.loads(text_of(FILE))


def reasons() -> Mapping[str, str]:
    """Why a statement may go without a test, by the name of who cannot be watched."""
    return {name: why for name, why in _file()["nobody"].items() if isinstance(why, str)}


def statements() -> Iterator[Statement]:
    """Every statement, in the order of the file."""
    for bullet, letters in _file().items():
        if bullet == "nobody":
            continue
        for letter, said in letters.items():
            row = {"says": said} if isinstance(said, str) else said
            yield Statement(bullet + letter, row["says"], row.get("nobody", ""))


def marks() -> list[Mark]:
    """Every mark of the project."""
    return [mark for path in python_files("tests") for mark in marks_in(tree_of(path), path)]


def marks_in(tree: ast.Module, path: Path) -> list[Mark]:
    """Every mark of a parsed file, also where pytest would make nothing of it."""
    counting = {id(node) for node in _counting(tree)} if path.name.startswith("test_") else set()
    return [
        Mark(f"{path}:{node.lineno}", _ids(node), id(node) in counting)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) == MARK
    ]


def _ids(mark: ast.Call) -> tuple[str, ...]:
    """What the mark names; anything but a plain string is no id of any statement."""
    return tuple(
        argument.value
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        else ast.unparse(argument)
        for argument in mark.args
    )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _counting(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes whose marks pytest puts on a test that always runs."""
    of_module = [node.value for node in tree.body if _is_pytestmark(node)]
    if any(_may_not_run(value) for value in of_module):
        return
    tests = [node for node in tree.body if _is_test(node) and not _may_not_run(node)]
    if tests:
        yield from (inner for value in of_module for inner in ast.walk(value))
    for test in tests:
        for decorator in test.decorator_list:
            yield from _marks_of_cases(decorator)
            yield decorator


def _is_pytestmark(node: ast.stmt) -> TypeGuard[ast.Assign]:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def _is_test(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def _marks_of_cases(decorator: ast.expr) -> Iterator[ast.AST]:
    """What ``pytest.param(..., marks=...)`` holds in a parametrisation."""
    for node in ast.walk(decorator):
        if isinstance(node, ast.keyword) and node.arg == "marks":
            yield from ast.walk(node.value)


def _may_not_run(node: ast.AST) -> bool:
    return any(
        isinstance(inner, ast.Attribute)
        and inner.attr in NOT_RUN
        and ast.unparse(inner).startswith("pytest.")
        for inner in ast.walk(node)
    )
