# SPDX-License-Identifier: MIT
"""From a Linux tree to a loaded driver: what is built, what is kept, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from guest.native.build import Build, build
from guest.native.errors import BuildError
from guest.native.keeping import cache_folder, one_at_a_time
from guest.native.library import Library
from guest.native.progress import silent
from guest.native.sources import DRIVER


def test_the_driver_of_a_tree_builds_with_the_kernels_own_vmbus_and_pci_core(built: Build) -> None:
    assert built.version.startswith("6.12.")
    assert {DRIVER, "drivers/hv/channel_mgmt.c", "drivers/pci/probe.c"} <= set(built.real_files)
    assert built.shared_object.exists()


def test_what_is_built_is_kept_and_used_again(built: Build) -> None:
    again = build(built.tree, cache=cache_folder())
    assert again.cached
    assert again.shared_object == built.shared_object


def test_the_driver_of_debians_older_kernel_builds_as_well(kernel_tree_61: Path) -> None:
    assert build(kernel_tree_61, cache=cache_folder()).version.startswith("6.1.")


def test_a_library_boots_after_a_reset(library: Library) -> None:
    library.call.vx_boot()
    assert library.call.vx_title(0) == b"hv_acpi_init"


def test_a_tree_that_is_not_there_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="apt-get install linux-source"):
        build(tmp_path / "nothing.tar.xz", cache=tmp_path)


def test_who_wants_what_somebody_else_is_making_waits_and_says_so(tmp_path: Path) -> None:
    told = Queue[str]()
    with ThreadPoolExecutor(1) as pool:
        with one_at_a_time(tmp_path, "it", silent):
            second = pool.submit(_make, tmp_path, told)
            assert told.get() == "waiting for another build"
            assert told.empty()
        second.result()
    assert told.get() == "made"


def _make(cache: Path, told: Queue[str]) -> None:
    with one_at_a_time(cache, "it", lambda what, _done, _total: told.put(what)):
        told.put("made")


def test_who_wants_something_else_does_not_wait(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path, "it", silent), one_at_a_time(tmp_path, "other", silent):
        assert len(list((tmp_path / "locks").iterdir())) == len(("it", "other"))


def test_a_cache_folder_that_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="name another XDG_CACHE_HOME"):
        build(tmp_path, cache=tmp_path / "file")
