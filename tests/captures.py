# SPDX-License-Identifier: MIT
"""Real captures for tests: those of the folder that VPCISIM_CAPTURES names. None lies here."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from host.devices.capture import load_device
from host.devices.problems import DeviceFileError
from host.devices.profile import DeviceProfile

REASON = "VPCISIM_CAPTURES names no folder with lspci -vvv -xxxx captures (*.txt)"

# The captures we know, with the sizes that they do not tell: those of the device as it is sold.
UNTOLD: Mapping[str, Mapping[int, int]] = {
    "cap-ea-1.txt": {},
    "cap-pcie-2.txt": {},
    "cap-phy32.txt": {},
    "cap-rebar.txt": {2: 2 << 20, 5: 256 << 10},
}


def _captures() -> list[Path]:
    """The captures in order; empty without the folder."""
    folder = os.environ.get("VPCISIM_CAPTURES")
    return sorted(Path(folder).glob("*.txt")) if folder else []


def each_capture() -> pytest.MarkDecorator:
    """Runs the test once for every capture, as ``file``; skips it, saying why, without any."""
    none = pytest.param(Path(), marks=pytest.mark.skip(reason=REASON), id="none")
    files = [pytest.param(file, id=file.name) for file in _captures()]
    return pytest.mark.parametrize("file", files or [none])


def captured_profile(file: Path) -> DeviceProfile:
    """The profile of a capture; skips for one that is not ours and lacks something."""
    try:
        return load_device(str(file), bar_sizes=UNTOLD.get(file.name)).profile
    except DeviceFileError as error:
        if file.name in UNTOLD:
            raise
        pytest.skip(str(error))
