# SPDX-License-Identifier: MIT
"""What the mask over two decodings hides, and what it must not."""

import pytest

from tests.sim.report.real_lspci import compared

TITLE = "01:00.0 0108: 144d:a80a (rev 01) (prog-if 02 [NVM Express])"
REGION = "\tRegion 0: Memory at fe000000 (64-bit, non-prefetchable)"


@pytest.mark.parametrize(
    ("line", "other"),
    [
        (TITLE, "96f2:00:00.0 0108: 1414:b111 (rev 01) (prog-if 02 [NVM Express])"),
        (REGION, "\tRegion 0: Memory at 10000000000 (64-bit, non-prefetchable) [disabled]"),
    ],
)
def test_what_a_guest_decides_itself_is_hidden(line: str, other: str) -> None:
    ours, theirs = compared(f"{REGION}\n{line}\n", f"{REGION}\n{other}\n")
    assert ours == theirs


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (TITLE, "0108:", "0200:"),
        (TITLE, "rev 01", "rev 02"),
        (TITLE, "prog-if 02", "prog-if 03"),
        (REGION, "64-bit", "32-bit"),
        (REGION, "non-prefetchable", "prefetchable"),
        (REGION, "Region 0", "Region 2"),
    ],
)
def test_what_the_device_is_is_compared(line: str, old: str, new: str) -> None:
    ours, theirs = compared(f"{REGION}\n{line}\n", f"{REGION}\n{line.replace(old, new)}\n")
    assert ours != theirs
