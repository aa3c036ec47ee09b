# SPDX-License-Identifier: MIT
"""A configuration window leaves the framebuffer alone.

vmbus_allocate_mmio() keeps off what vmbus_reserve_fb() has reserved. A crash kernel that is not
told where the framebuffer is reserves nothing, or the wrong place: that is Linux's own gap (open
item O20). What answers where both lie is not established.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelBooted
from host.events import ConfigWindowOverFramebuffer
from sim.oracles.law import Finding, Law, OpenItem, Sees


class WindowOffFramebuffer(Law):
    """``is_second``: the kernel that speaks was booted after a crash."""

    name = "a configuration window leaves the framebuffer alone"
    kind = "wrong-value"

    def __init__(self) -> None:
        self._is_second = False

    def _booted(self, _event: KernelBooted, *_: object) -> None:
        self._is_second = True

    def _over(self, event: ConfigWindowOverFramebuffer, *_: object) -> Finding:
        message = f"the window of {event.bus} at {event.config_window:#x} is over the framebuffer"
        return OpenItem("O20", message) if self._is_second else message

    sees: ClassVar[Sees] = {KernelBooted: _booted, ConfigWindowOverFramebuffer: _over}
