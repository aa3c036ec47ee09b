# SPDX-License-Identifier: MIT
"""What happened to the CPUs, in the past tense, for the trace. CPUs are Linux's numbers."""

from guest.events import GuestEvent


class CpuDying(GuestEvent, frozen=True, gc=False):
    """Every CPU has its interrupts off, and this one begins to go (take_cpu_down())."""

    cpu: int


class CpuOffline(GuestEvent, frozen=True, gc=False):
    """The CPU runs nothing any more."""

    cpu: int


class CpuOnline(GuestEvent, frozen=True, gc=False):
    """The CPU is up, and everybody who wanted to know has been told."""

    cpu: int
