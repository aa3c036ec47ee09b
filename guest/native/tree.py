# SPDX-License-Identifier: MIT
"""The user's Linux: a folder, or an archive of which the needed parts are unpacked once.

Unpacked trees lie in the user's cache folder, by the archive's name, size and time. Knows what a
build needs only from ``sources``.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path, PurePosixPath

from guest.native.errors import BuildError
from guest.native.sources import FILES, FOLDERS, HEADER_FOLDERS


def cache_folder() -> Path:
    """Where built and unpacked things are kept: ``$XDG_CACHE_HOME/vpcisim``, else ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "vpcisim"


def open_tree(path: Path, cache: Path) -> Path:
    """The tree's folder. Raises :class:`BuildError` for what is neither a tree nor an archive."""
    if path.is_dir():
        return path
    if not path.exists():
        raise BuildError(
            f"{path}: no such tree; give a Linux tree or an archive such as Debian's"
            " linux-source-6.12.tar.xz (apt-get install linux-source-6.12)"
        )
    stat = path.stat()
    key = sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = cache / "trees" / key
    if not folder.exists():
        _unpack(path, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """Into a folder beside it first, so that two at once do no harm and none is left half way."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix="unpacking-"))
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                wanted = _wanted(member)
                if wanted is not None:
                    member.name = wanted
                    tar.extract(member, making, set_attrs=False, filter="data")
        making.rename(folder)
    except tarfile.TarError as error:
        raise BuildError(f"{archive}: no archive of Linux sources: {error}") from None
    except OSError:
        if not folder.exists():  # else somebody else was faster
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _wanted(member: tarfile.TarInfo) -> str | None:
    """The member's path below the tree, if a build needs it."""
    parts = PurePosixPath(member.name).parts[1:]
    path = "/".join(parts)
    if not member.isfile() and not member.issym():
        return None
    header = path.endswith(".h") and parts[0] in HEADER_FOLDERS
    needed = path in FILES or header or any(path.startswith(f"{folder}/") for folder in FOLDERS)
    return path if needed else None
