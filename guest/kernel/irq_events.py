# SPDX-License-Identifier: MIT
"""What happened in the interrupt core, in the past tense, for the trace. Ids only.

Interrupts and CPUs are Linux's numbers. Knows no device.
"""

from guest.events import GuestEvent


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


class SpisAllocated(GuestEvent, frozen=True, gc=False):
    """Interrupts from ``irq`` on have SPIs of their own from now on, from ``spi`` on (arm64)."""

    irq: int
    spi: int
    count: int


class SpiFreed(GuestEvent, frozen=True, gc=False):
    """An SPI went back to the bitmap."""

    irq: int
    spi: int


class SpiRouted(GuestEvent, frozen=True, gc=False):
    """GICD_IROUTER was written: from now on the SPI goes to this CPU, which is that VP."""

    irq: int
    spi: int
    cpu: int
    vp: int


class InterruptSpurious(GuestEvent, frozen=True, gc=False):
    """A vector arrived that no interrupt owns on that CPU."""

    cpu: int
    vector: int


class InterruptShutDown(GuestEvent, frozen=True, gc=False):
    """The last CPU of a managed interrupt's mask goes: it is off until one of them is back."""

    irq: int
    cpu: int
