# SPDX-License-Identifier: MIT
"""What happened in the interrupt and PCI cores, in the past tense, for the trace. Ids only.

Addresses are PCI addresses as text (``domain:bus:device.function``); CPUs are Linux's numbers.
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


class DriverProbeFailed(GuestEvent, frozen=True, gc=False):
    """A function driver's probe returned a negative errno."""

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


class VectorAllocated(GuestEvent, frozen=True, gc=False):
    """An interrupt holds a real vector on a CPU from now on."""

    irq: int
    cpu: int
    vector: int
    managed: bool


class VectorFreed(GuestEvent, frozen=True, gc=False):
    """A vector went back to the matrix."""

    irq: int
    cpu: int
    vector: int


class InterruptRequested(GuestEvent, frozen=True, gc=False):
    """request_irq() succeeded: a handler is installed and the line is open."""

    irq: int
    name: str


class InterruptFreed(GuestEvent, frozen=True, gc=False):
    """free_irq() has ended: the handler cannot run any more."""

    irq: int
    name: str


class InterruptHandled(GuestEvent, frozen=True, gc=False):
    """A handler ran to its end on a CPU."""

    irq: int
    cpu: int


class InterruptSpurious(GuestEvent, frozen=True, gc=False):
    """A vector arrived that no interrupt owns on that CPU."""

    cpu: int
    vector: int
