# SPDX-License-Identifier: MIT
"""The real driver for tests: Linux trees, what is built of them, and the library, loaded once.

What is built lies in the user's cache folder, where all test processes share it.
"""

from pathlib import Path

import pytest

from guest.native.build import Build
from guest.native.library import Library
from sim.native import built as built_from
from sim.native import loaded
from tests.kernel_trees import tree_of


@pytest.fixture(scope="session")
def kernel_tree() -> Path:
    """Linux 6.12: Debian's archive, or what $VPCISIM_TREE names."""
    return tree_of("6.12")


@pytest.fixture(scope="session")
def kernel_tree_61() -> Path:
    """Linux 6.1: Debian's archive, or what $VPCISIM_TREE_61 names."""
    return tree_of("6.1")


@pytest.fixture(scope="session")
def built(kernel_tree: Path) -> Build:
    """The unmodified driver of 6.12."""
    return built_from(str(kernel_tree), None)


@pytest.fixture
def library(built: Build) -> Library:
    """The library of 6.12, reset: nothing has booted."""
    library = loaded(built.shared_object)
    library.call.vx_reset()
    return library
