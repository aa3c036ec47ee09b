# SPDX-License-Identifier: MIT
"""The toy, built once for all tests of the core; without gcc they skip, but never in CI."""

import os

import pytest

from guest.native.errors import BuildError
from tests.guest.native.core.toy_build import Toy, build_toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    try:
        return Toy(build_toy(tmp_path_factory.mktemp("toy")))
    except BuildError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
