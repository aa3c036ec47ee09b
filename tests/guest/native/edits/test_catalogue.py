# SPDX-License-Identifier: MIT
"""Every historical bug that has edits fits the drivers of the trees that we build."""

from pathlib import Path

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect
from guest.native.edits.applying import applied
from guest.native.keeping import cache_folder
from guest.native.progress import silent
from guest.native.sources import DRIVER
from guest.native.tree import open_tree

EDITED = [defect for defect in CATALOGUE.values() if defect.edits]

edited = pytest.mark.parametrize("defect", EDITED, ids=[defect.id for defect in EDITED])


def driver_of(tree: Path) -> str:
    return (open_tree(tree, cache_folder(), silent) / DRIVER).read_text(encoding="utf-8")


@edited
def test_a_bugs_edits_fit_the_driver_and_keep_its_lines(
    defect: Defect, kernel_tree: Path, kernel_tree_61: Path
) -> None:
    for tree in (kernel_tree, kernel_tree_61):
        text = driver_of(tree)
        with_bug = applied(text, defect.edits)
        assert with_bug != text
        assert with_bug.count("\n") == text.count("\n")


def test_bugs_that_show_in_the_real_driver_are_many() -> None:
    assert len(EDITED) >= 20


def test_a_bug_says_why_the_real_driver_cannot_show_it_only_where_it_cannot() -> None:
    reasoned = [defect for defect in CATALOGUE.values() if defect.why_model_only]
    assert reasoned
    assert not any("kernel" in defect.drivers for defect in reasoned)
