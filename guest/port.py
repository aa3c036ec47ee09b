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

    def take_read_hold(self) -> int:
        """For how many nanoseconds the read just made, by either way, holds the CPU: mostly 0."""

    def read_iar(self, vp: VpIndex) -> int:
        """arm64: read ICC_IAR1_EL1, the interrupt that waits; 1023 if there is none."""

    def write_eoir(self, intid: int) -> None:
        """arm64: write ICC_EOIR1_EL1, that it has been handled."""

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        """Write; returns for how many nanoseconds the host held the CPU, usually 0."""

    def power_off(self) -> None:
        """The machine is switched off (ACPI S4); when it is on again its devices are out of reset.

        Returns at once: a machine that is off asks nothing until it is on.
        """
