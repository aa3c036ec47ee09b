# SPDX-License-Identifier: MIT
"""The hashes of what a schedule ran against change when a source does, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.source_hashes import PACKAGES, changed, source_hashes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for package in PACKAGES:
        (tmp_path / package / "inner").mkdir(parents=True)
        (tmp_path / package / "a.py").write_text("a = 1\n")
        (tmp_path / package / "inner" / "b.toml").write_text("b = 2\n")
    return tmp_path


def test_the_lab_has_a_hash_for_each_of_its_packages() -> None:
    assert source_hashes() == source_hashes()
    assert tuple(source_hashes()) == PACKAGES


def test_a_changed_moved_or_new_source_changes_its_package_alone(root: Path) -> None:
    before = source_hashes(root=root)
    (root / "guest" / "inner" / "b.toml").write_text("b = 3\n")
    assert changed(before, source_hashes(root=root)) == ("guest",)
    (root / "host" / "a.py").rename(root / "host" / "c.py")
    (root / "sim" / "new.py").touch()
    assert changed(before, source_hashes(root=root)) == ("guest", "host", "sim")


def test_what_is_no_source_changes_nothing(root: Path) -> None:
    before = source_hashes(root=root)
    (root / "guest" / "__pycache__").mkdir()
    (root / "guest" / "__pycache__" / "a.pyc").touch()
    (root / "guest" / "notes.txt").touch()
    assert changed(before, source_hashes(root=root)) == ()


def test_a_law_has_a_hash_of_its_own(root: Path) -> None:
    law = root / "mine.py"
    law.write_text("LAW = 1\n")
    before = source_hashes([str(law)], root=root)
    assert changed(source_hashes(root=root), before) == (str(law),)
    law.write_text("LAW = 2\n")
    assert changed(before, source_hashes([str(law)], root=root)) == (str(law),)
    law.unlink()
    with pytest.raises(OSError, match=r"mine\.py"):
        source_hashes([str(law)], root=root)
