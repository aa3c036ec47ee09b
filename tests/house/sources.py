# SPDX-License-Identifier: MIT
"""The project's own files, as house rules see them. Knows where files are, and no rule.

Asks git when there is one; a source tarball without it is walked instead, so that the rules hold
there too.
"""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "guest", "host", "sim")
NOT_OURS = {".venv", ".git", "build", "dist", "__pycache__"}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project that is not ignored, relative to its root, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    inside = (ROOT / ".git").exists() and listing.returncode == 0
    names = listing.stdout.split("\0") if inside else _walked()
    return tuple(sorted(Path(name) for name in names if name and (ROOT / name).is_file()))


def _walked() -> Iterator[str]:
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        ours = not (NOT_OURS & set(relative.parts)) and not any(
            part.endswith(("_cache", ".egg-info", ".hypothesis")) for part in relative.parts
        )
        if ours and path.is_file():
            yield str(relative)


def python_files(*tops: str) -> tuple[Path, ...]:
    """The Python files below the named top folders (all of the project when none is named)."""
    return tuple(
        path
        for path in project_files()
        if path.suffix == ".py" and (not tops or path.parts[0] in tops)
    )


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Each imported module's dotted name with its line, wherever in the file the import stands.

    ``from a import b`` gives ``a.b``, so that a rule can tell ``numpy.random`` from ``numpy``.
    """
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def below(path: Path, *places: str) -> bool:
    """Whether the path is one of the places (``sim/bench``, ``sim/a.py``) or lies in one."""
    return any(path.is_relative_to(place) for place in places)
