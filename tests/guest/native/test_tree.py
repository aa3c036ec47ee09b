# SPDX-License-Identifier: MIT
"""An archive becomes a tree of the plain files that a build needs, and of nothing else."""

import io
import lzma
import tarfile
from pathlib import Path

import pytest

from guest.native.errors import BuildError
from guest.native.tree import open_tree

NEEDED = "include/linux/pci.h"


def archive(folder: Path, **kinds: bytes) -> Path:
    """An archive of a file of each name, and of a link beside them that leads out."""
    path = folder / "linux-source-1.0.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for name, content in kinds.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("linux/include/link.h")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def opened(path: Path, folder: Path) -> Path:
    return open_tree(path, folder / "cache", lambda _what, _done, _total: None)


def files_of(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def test_only_the_needed_plain_files_are_unpacked(tmp_path: Path) -> None:
    unneeded = {"linux/sound/core.c": b"3", "linux/include/../../out.h": b"4"}
    path = archive(tmp_path, **{f"linux/{NEEDED}": b"1", "linux/Makefile": b"2", **unneeded})
    tree = opened(path, tmp_path)
    assert files_of(tree) == {NEEDED, "Makefile"}
    assert (tree / NEEDED).read_bytes() == b"1"
    assert not list(tmp_path.rglob("out.h"))


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    path = archive(tmp_path, **{f"linux/{NEEDED}": b"1"})
    first = opened(path, tmp_path)
    (first / NEEDED).write_bytes(b"seen")
    assert opened(path, tmp_path) == first
    assert (first / NEEDED).read_bytes() == b"seen"


def test_a_cut_archive_leaves_no_tree(tmp_path: Path) -> None:
    path = archive(tmp_path, **{f"linux/{NEEDED}": bytes(range(256)) * 64})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BuildError, match="give a whole"):
        opened(path, tmp_path)
    assert not files_of(tmp_path / "cache")


@pytest.mark.parametrize("cut_bytes", [1, 4, 40])
def test_an_archive_that_lacks_only_its_end_is_no_whole_one(tmp_path: Path, cut_bytes: int) -> None:
    path = archive(tmp_path, **{f"linux/{NEEDED}": b"1"})
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    with pytest.raises(BuildError, match="give a whole"):
        opened(path, tmp_path)


def test_where_xz_is_not_installed_its_archives_are_unpacked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = archive(tmp_path, **{f"linux/{NEEDED}": b"1"})
    assert files_of(opened(path, tmp_path)) == {NEEDED}


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "driver.tar.xz"
    with lzma.open(path, "wb") as file:
        file.write(b"no archive " * 10_000)
    with pytest.raises(BuildError, match="no archive of Linux sources"):
        opened(path, tmp_path)
