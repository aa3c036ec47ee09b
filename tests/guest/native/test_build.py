# SPDX-License-Identifier: MIT
"""From a Linux tree to a loaded driver: what is built, what is kept, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guest.native.build import Build, build, one_at_a_time
from guest.native.errors import BuildError
from guest.native.library import Library
from guest.native.sources import DRIVER
from guest.native.tree import cache_folder

SHORT_S = 0.1


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


def test_a_second_build_waits_for_the_first(built: Build) -> None:
    with ThreadPoolExecutor(1) as pool:
        with one_at_a_time(cache_folder()):
            second = pool.submit(build, built.tree, cache=cache_folder())
            with pytest.raises(TimeoutError):
                second.result(timeout=SHORT_S)
        assert second.result().cached
