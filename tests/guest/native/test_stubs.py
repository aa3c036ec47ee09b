# SPDX-License-Identifier: MIT
"""A driver that needs what nothing provides builds, and says what it was when it comes to it."""

from pathlib import Path

import pytest

from guest.native.build import Build
from tests.guest.native.playing import needing

FUNCTION = "int nobody_has_this(void); if (nobody_has_this()) return -EIO;"
VARIABLE = "extern int nobody_has_this; if (nobody_has_this) return -EIO;"
WRITTEN = "extern struct { int a, b; } nobody_has_this; nobody_has_this.b = 1;"
NAMED = "extern int nobody_has_this; if ((long)&nobody_has_this == 1) return -EIO;"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (FUNCTION, "the shim lacks nobody_has_this()"),
        (VARIABLE, "the shim lacks nobody_has_this, which hv_pci_probe touches"),
        (WRITTEN, "the shim lacks nobody_has_this, which hv_pci_probe touches"),
    ],
)
def test_what_nothing_provides_is_told_by_whoever_touches_it(
    built: Build, tmp_path: Path, what: str, told: str
) -> None:
    violation = needing(what, built, tmp_path).world(stacks=True).run().violation
    assert violation is not None
    assert (violation.kind, violation.message) == ("crash", told)
    innermost, *_ = violation.stacks[0]
    assert innermost.startswith("hv_pci_probe (pci-hyperv.c:")


def test_what_is_only_named_harms_nobody(built: Build, tmp_path: Path) -> None:
    assert needing(NAMED, built, tmp_path).world().run().verdict == "clean"
