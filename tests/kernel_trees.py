# SPDX-License-Identifier: MIT
"""Linux trees to build the real driver from, where the machine has them.

Without gcc or a tree a test skips and says what to install; under CI (``CI`` in the environment) it
fails instead.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

import pytest

SOURCES: Final = Path("/usr/src")
# Debian's packages, by the version that tests ask for; the variable names another tree instead.
MAINLINE: Final = "VPCISIM_TREE_MAINLINE"
VARIABLES: Final[Mapping[str, str]] = {"6.12": "VPCISIM_TREE", "6.1": "VPCISIM_TREE_61"}


def tree_of(version: str) -> Path:
    """The tree of a version, for a test that builds it; skips or fails without one."""
    if shutil.which("gcc") is None:
        _lacking("gcc is missing: apt-get install gcc")
    tree = _place(version)
    if not tree.exists():
        variable = VARIABLES[version]
        _lacking(
            f"{tree} is missing: apt-get install linux-source-{version}, or name one in {variable}"
        )
    return tree


def tree_if_any(version: str) -> Path | None:
    """The tree of a version, if this machine can build it."""
    tree = _place(version)
    return tree if shutil.which("gcc") and tree.exists() else None


def _place(version: str) -> Path:
    return Path(os.environ.get(VARIABLES[version]) or SOURCES / f"linux-source-{version}.tar.xz")


def mainline_tree() -> Path:
    """A newer tree, for a test that builds it: no package has one, so CI need not have it."""
    named = os.environ.get(MAINLINE)
    if shutil.which("gcc") is None or not named:
        pytest.skip(f"needs gcc and a tree of Linux 7.0 or about, named in {MAINLINE}")
    return Path(named)


def gdb() -> str:
    """The debugger, for a test that starts it; skips or fails without one."""
    found = shutil.which("gdb")
    return found or _lacking("gdb is missing: apt-get install gdb")


def _lacking(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"CI must test the real driver, but {what}")
    pytest.skip(what)
