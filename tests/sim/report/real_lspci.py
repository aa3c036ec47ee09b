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


MASK: Sequence[Masked] = (
    Masked("bus address and identity, from relations", r"^\S.*$", "DEVICE"),
    Masked("subsystem, from relations", r"^\tSubsystem: .*$", ""),
    Masked("Command", r"^\tControl: .*$", ""),
    Masked("Status", r"^\tStatus: .*$", ""),
    Masked("latency and cache line, shown with bus mastering only", r"^\tLatency: .*$", ""),
    Masked("interrupt line and pin", r"^\tInterrupt: .*$", ""),
    Masked("BAR addresses and I/O BARs", r"^\tRegion \d: .*$", ""),
    # lspci shows this line only where a BAR register holds an address; a device with Enhanced
    # Allocation has none in its registers, its guest has.
    Masked("BAR addresses, through atomic operations", r"^\t\t\t AtomicOpsCap: .*$", ""),
    Masked("expansion ROM", r"^\tExpansion ROM at .*$", ""),
    Masked("MSI state: enable, granted", r"(\bMSI: Enable)[+-] Count=\d+/", r"\1? Count=?/"),
    Masked("MSI state: address, data", r"^\t\tAddress: .*Data: .*$", ""),
    Masked("MSI state: mask, pending", r"^\t\tMasking: .*$", ""),
    Masked("MSI-X state", r"(\bMSI-X: Enable)[+-] (Count=\d+) Masked[+-]", r"\1? \2 Masked?"),
)


def decode(text: str, folder: Path) -> str:
    """What ``lspci -F -vvv`` prints of ``text``, names of ids left out."""
    file = folder / "dump.txt"
    file.write_text(text, encoding="utf-8")
    command = ["lspci", "-n", "-vvv", "-F", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def masked(decoding: str) -> list[str]:
    """The decoding's lines under ``MASK``; prints the mask, so that a failure shows it."""
    print("compared under this mask:", *(f"  {one.what}: {one.pattern}" for one in MASK), sep="\n")
    lines = []
    for line in decoding.splitlines():
        for one in MASK:
            line = re.sub(one.pattern, one.replacement, line)
        if line.strip():
            lines.append(line)
    return lines
