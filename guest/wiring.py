# SPDX-License-Identifier: MIT
"""What a guest is connected to, as one value for whoever makes guests. Knows no guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from guest.kernel.context import Scheduler
from guest.kernel.pages import PhysicalMemory
from guest.port import HostPort


class Wiring(NamedTuple):
    """The host behind ``port``, who runs the contexts, who hears what happens, the memory."""

    port: HostPort
    scheduler: Scheduler
    emit: Callable[[object], None]
    memory: PhysicalMemory
