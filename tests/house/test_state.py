# SPDX-License-Identifier: MIT
"""State has one owner: nothing mutable at module level, and no version number outside the codec."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import PACKAGES, below, python_files, tree_of

# Where a version number becomes a dialect; everybody else asks the dialect.
KNOWS_VERSIONS = ("protocol/versions.py", "protocol/codec.py")

BUILDS_MUTABLE = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter", "count"}
)
READ_ONLY_TYPES = ("Mapping", "Sequence", "Final", "Collection", "Set[")
CHANGES = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove"}
    | {"discard", "clear", "appendleft"}
)


def _is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        function = value.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        return name in BUILDS_MUTABLE
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def _module_names(tree: ast.Module) -> Iterator[tuple[str, int, str, ast.expr | None]]:
    """(name, line, annotation, value) of each assignment at module level."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.lineno, ast.unparse(node.annotation), node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.lineno, "", node.value


def test_tables_at_module_level_are_declared_read_only() -> None:
    wrong = [
        f"{path}:{line} {name}: annotate it Mapping, Sequence or Final"
        for path in python_files(*PACKAGES)
        for name, line, annotation, value in _module_names(tree_of(path))
        if not name.startswith("__")
        and _is_mutable(value)
        and not any(kind in annotation for kind in READ_ONLY_TYPES)
    ]
    assert not wrong


def _changes(function: ast.AST, names: set[str]) -> Iterator[int]:
    """Lines in a function that change what a module-level name refers to."""
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield node.lineno
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name) and node.value.id in names:
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in names and node.func.attr in CHANGES:
                yield node.lineno


def test_no_function_changes_what_its_module_holds() -> None:
    wrong = []
    for path in python_files(*PACKAGES):
        tree = tree_of(path)
        names = {name for name, _, _, value in _module_names(tree) if _is_mutable(value)}
        functions = [
            n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        for function in functions:
            local = {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
            wrong += [f"{path}:{line}" for line in _changes(function, names - local)]
    assert not wrong


def _names_a_version(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return name.lower().endswith("version")


def _compares_versions(node: ast.AST) -> bool:
    """An ordering of versions, or a version set against a literal number."""
    if isinstance(node, ast.Match):
        return _names_a_version(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    if not any(_names_a_version(side) for side in sides):
        return False
    ordered = any(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in node.ops)
    number = any(
        isinstance(part, ast.Constant) and type(part.value) is int
        for side in sides
        for part in ast.walk(side)
    )
    return ordered or number


def _version_comparisons(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if _compares_versions(node):
            yield f"{path}:{getattr(node, 'lineno', 0)}"


def test_beyond_the_codec_nobody_compares_version_numbers() -> None:
    wrong = [
        place
        for path in python_files(*PACKAGES)
        if not below(path, *KNOWS_VERSIONS)
        for place in _version_comparisons(path)
    ]
    assert not wrong


def test_the_rule_on_versions_sees_what_it_should() -> None:
    seen = {
        text: any(_compares_versions(node) for node in ast.walk(ast.parse(text)))
        for text in (
            "self.protocol_version >= other",
            "version == 0x10004",
            "dialect.version in (1, 2)",
            "reply.version == offered",
            "size < 4",
        )
    }
    assert list(seen.values()) == [True, True, True, False, False]
