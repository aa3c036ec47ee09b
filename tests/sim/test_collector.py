# SPDX-License-Identifier: MIT
"""The collector is left as it was found, whatever happens inside."""

import gc

import pytest

from sim.collector import YOUNG_OBJECTS, seldom


def test_collections_are_seldom_inside_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with seldom():
        assert gc.get_threshold()[0] == YOUNG_OBJECTS
    assert gc.get_threshold() == before


def test_a_run_that_fails_leaves_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), seldom():
        raise RuntimeError
    assert gc.get_threshold() == before
