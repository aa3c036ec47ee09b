# SPDX-License-Identifier: MIT
"""Real captures for tests: those of the folder that VPCISIM_CAPTURES names. None lies here."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

FOLDER = os.environ.get("VPCISIM_CAPTURES", "")
REASON = "VPCISIM_CAPTURES names no folder with lspci -vvv -xxxx captures (*.txt)"
needs_captures = pytest.mark.skipif(
    not FOLDER or not any(Path(FOLDER).glob("*.txt")), reason=REASON
)

# Sizes that a capture does not tell, by file name; those of the device as it is sold.
UNTOLD: Mapping[str, Mapping[int, int]] = {"cap-rebar.txt": {2: 2 << 20, 5: 256 << 10}}


def capture_files() -> list[Path]:
    """The captures in order; empty without the folder, and the test then skips."""
    return sorted(Path(FOLDER).glob("*.txt")) if FOLDER else []
