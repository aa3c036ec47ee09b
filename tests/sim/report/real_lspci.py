# SPDX-License-Identifier: MIT
"""The real ``lspci -F``, and the mask under which two decodings of one device are compared."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

needs_lspci = pytest.mark.skipif(
    shutil.which("lspci") is None, reason="lspci is missing: install pciutils"
)


class Masked(NamedTuple):
    """Lines that may differ between a capture and what a guest sees of the device, and why.

    The pattern's matches are replaced; a line whose replacement is empty is left out.
    """

    what: str
    pattern: str
    replacement: str


_TITLE = r"^\S+ ([0-9a-f]{4}): [0-9a-f]{4}:[0-9a-f]{4}"
_MEMORY = r"^(\tRegion \d: Memory at )[0-9a-f]+ (\(.*?\)).*$"
_PHANTOM = r"^\tRegion [1-5]: Memory at <unassigned> \(32-bit, non-prefetchable\)$"
MASK: Sequence[Masked] = (
    Masked("bus address; vendor and device id, from relations", _TITLE, r"ADDRESS \1: ID"),
    Masked("subsystem, from relations", r"^\tSubsystem: .*$", ""),
    Masked("Command", r"^\tControl: .*$", ""),
    Masked("Status", r"^\tStatus: .*$", ""),
    Masked("Command again: lspci tells the latency of bus masters only", r"^\tLatency: .*$", ""),
    Masked("interrupt line and pin", r"^\tInterrupt: .*$", ""),
    Masked("BAR address, and Command: disabled", _MEMORY, r"\1ADDRESS \2"),
    Masked("I/O BARs", r"^\tRegion \d: I/O ports at .*$", ""),
    Masked("expansion ROM", r"^\tExpansion ROM at .*$", ""),
    Masked("MSI state: enable, granted", r"(\bMSI: Enable)[+-] Count=\d+/", r"\1? Count=?/"),
    Masked("MSI state: address, data", r"^\t\tAddress: .*Data: .*$", ""),
    Masked("MSI state: mask, pending", r"^\t\tMasking: .*$", ""),
    Masked("MSI-X state", r"(\bMSI-X: Enable)[+-] (Count=\d+) Masked[+-]", r"\1? \2 Masked?"),
    # lspci 3.9 takes the upper half of a 64-bit BAR, where it is not 0, for one more BAR.
    Masked("BAR address: its upper half as a region that is none", _PHANTOM, ""),
)
# Where a capture's BAR registers hold no address (Enhanced Allocation tells it elsewhere, those of
# a virtual function are zero), lspci shows of the capture what follows from none, and of the guest,
# whose registers hold one, more. The regions are then compared with the profile's BARs alone.
WITHOUT_BAR_REGISTERS: Sequence[Masked] = (
    Masked("BARs that the capture has outside its registers", r"^\tRegion \d: .*$", ""),
    Masked("lspci asks such a BAR for it", r"^\t\t\t AtomicOpsCap: .*$", ""),
)


def decode(text: str, folder: Path) -> str:
    """What ``lspci -F -vvv`` prints of ``text``, names of ids left out."""
    file = folder / "dump.txt"
    file.write_text(text, encoding="utf-8")
    command = ["lspci", "-n", "-vvv", "-F", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def compared(original: str, printed: str) -> tuple[list[str], list[str]]:
    """The lines of both decodings under the mask, which is printed so that a failure shows it."""
    mask = MASK
    if not re.search(r"^\tRegion \d: Memory at [0-9a-f]", original, re.MULTILINE):
        mask = (*MASK, *WITHOUT_BAR_REGISTERS)
    print("compared under this mask:", *(f"  {one.what}: {one.pattern}" for one in mask), sep="\n")
    return _masked(original, mask), _masked(printed, mask)


def _masked(decoding: str, mask: Sequence[Masked]) -> list[str]:
    lines = []
    for line in decoding.splitlines():
        for one in mask:
            line = re.sub(one.pattern, one.replacement, line)
        if line.strip():
            lines.append(line)
    return lines
