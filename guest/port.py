# SPDX-License-Identifier: MIT
"""What a guest asks of its surroundings: the one opening between guest and host.

Bytes, addresses and numbers cross it, nothing else. Any host stands behind it.
"""

from typing import Protocol

from protocol.hypercall import HypercallResult
from protocol.ids import VpIndex


class HostPort(Protocol):
    """The hypervisor as the guest's CPUs see it."""

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        """Issue a hypercall. Fast calls carry their registers as data."""

    def mmio_read(self, gpa: int, size: int) -> int:
        """Read 1, 2, 4 or 8 bytes; all ones where nobody answers."""

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        """Write; returns for how many nanoseconds the host held the CPU, usually 0."""

    def power_off(self) -> None:
        """The machine is switched off (ACPI S4); when it is on again its devices are out of reset.

        Returns at once: a machine that is off asks nothing until it is on.
        """
