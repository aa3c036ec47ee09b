# SPDX-License-Identifier: MIT
"""What happened in the PCI core, in the past tense, for the trace. Ids only.

Addresses are PCI addresses as text (``domain:bus:device.function``).
"""

from guest.events import GuestEvent


class PciDevAdded(GuestEvent, frozen=True, gc=False):
    """A function was found on a bus and registered."""

    address: str
    vendor: int
    device: int


class PciDevRemoved(GuestEvent, frozen=True, gc=False):
    """A function was unregistered; it may live on while somebody holds it."""

    address: str


class DriverBound(GuestEvent, frozen=True, gc=False):
    """A function driver's probe succeeded."""

    address: str
    driver: str


class DmaConfigured(GuestEvent, frozen=True, gc=False):
    """A driver is about to probe; whether DMA is coherent was asked of the bridge's ACPI node."""

    address: str
    coherent: bool


class DriverProbeFailed(GuestEvent, frozen=True, gc=False):
    """A function driver's probe returned ``errno``, which is negative."""

    address: str
    driver: str
    errno: int


class DriverUnbound(GuestEvent, frozen=True, gc=False):
    """A function driver's remove has ended."""

    address: str
    driver: str


class BarAssigned(GuestEvent, frozen=True, gc=False):
    """A BAR was given an address in a bridge window; bytes."""

    address: str
    bar: int
    start: int
    size_bytes: int
