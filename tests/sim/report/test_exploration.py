# SPDX-License-Identifier: MIT
"""What came of exploring, for people: an order in words, and a bar on a terminal only."""

from __future__ import annotations

import io
import sys

import pytest

from sim.explore.delays import Delay, FaultAt
from sim.report.exploration import order_lines
from sim.report.progress import progress_of


def test_an_order_is_told_in_words() -> None:
    delays = [
        Delay("hv_eject_device_work", "lock a", 2, "ended remove"),
        Delay("PCI_EJECT", "", 11),
    ]
    assert list(order_lines(delays, [FaultAt("lost-message", "PCI_EJECT", 3)])) == [
        "delay    hv_eject_device_work, stopped at lock a for the 2nd time, until ended remove",
        "delay    PCI_EJECT, stopped as it is due for the 11th time, until idle",
        "fault    lost-message of PCI_EJECT, the 3rd time it could happen",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_is_for_terminals(
    stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_of(10) as progress:
        progress(10, 2)
    assert ("10/10" in stream.getvalue() and "2 found" in stream.getvalue()) == shown
    assert bool(stream.getvalue()) == shown
