# SPDX-License-Identifier: MIT
"""The framebuffer is the first kernel's to keep off; a crash kernel may not know of it."""

from __future__ import annotations

from guest.events import KernelBooted
from host.events import ConfigWindowOverFramebuffer, D0Entered
from protocol.ids import VpIndex
from sim.oracles.laws.window_off_framebuffer import WindowOffFramebuffer
from tests.sim.oracles.laws.tale import BUS, broken, holds, told

OVER = ConfigWindowOverFramebuffer(BUS, 0xF800_0000)
SECOND = KernelBooted(2, (VpIndex(0),))


def test_a_window_over_the_framebuffer_is_wrong() -> None:
    violation = broken(WindowOffFramebuffer, OVER)
    assert violation.kind == "wrong-value"
    assert "0xf8000000" in violation.message
    assert holds(WindowOffFramebuffer, D0Entered(BUS, 0xF800_0000))


def test_of_a_crash_kernel_it_is_the_open_item_that_it_is() -> None:
    assert told(WindowOffFramebuffer, SECOND, OVER, may_show=("O20",)).known == ("O20",)
    assert "open item O20" in broken(WindowOffFramebuffer, SECOND, OVER).message
