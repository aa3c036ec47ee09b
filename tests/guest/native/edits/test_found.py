# SPDX-License-Identifier: MIT
"""Some historical bugs in the real driver: found as in the model; the clean driver passes."""

from pathlib import Path

import msgspec
import pytest

from guest.defects.catalogue import CATALOGUE
from guest.native.build import build
from guest.native.edits.record import Drop, EditDoesNotFit
from guest.native.keeping import cache_folder
from sim.setup import Lab, Setup, read_setup
from sim.violation import Violation

# What natural order shows, so that one run of each is enough.
SHOWN_AT_ONCE = ("bus-remove-state-missing", "compose-stack-packet", "eject-ref-leak")


def found(setup: Setup) -> Violation | None:
    return Lab(setup).world().run().violation


@pytest.mark.parametrize("name", SHOWN_AT_ONCE)
def test_a_bug_is_found_in_the_real_driver_as_in_the_model(name: str, kernel_tree: Path) -> None:
    defect = CATALOGUE[name]
    clean = msgspec.structs.replace(
        read_setup(defect.scenario), driver="kernel", tree=str(kernel_tree)
    )
    assert found(clean) is None
    violation = found(msgspec.structs.replace(clean, defects=(name,)))
    assert violation is not None
    assert violation.kind == defect.expect


def test_an_edit_that_does_not_fit_a_driver_names_the_driver(kernel_tree: Path) -> None:
    edits = [Drop("hv_pci_probe", ("no_such_call",))]
    with pytest.raises(EditDoesNotFit, match=r"pci-hyperv\.c: hv_pci_probe\(\) has no statement"):
        build(kernel_tree, cache=cache_folder(), edits=edits)
