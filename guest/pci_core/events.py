# SPDX-License-Identifier: MIT
"""What happened in the interrupt and PCI cores, in the past tense, for the trace. Ids only.

Addresses are PCI addresses as text (``domain:bus:device.function``); CPUs are Linux's numbers.
"""

import msgspec


class PciDevAdded(msgspec.Struct, frozen=True):
    """A function was found on a bus and registered."""

    address: str
    vendor: int
    device: int


class PciDevRemoved(msgspec.Struct, frozen=True):
    """A function was unregistered; it may live on while somebody holds it."""

    address: str


class DriverBound(msgspec.Struct, frozen=True):
    """A function driver's probe succeeded."""

    address: str
    driver: str


class DriverProbeFailed(msgspec.Struct, frozen=True):
    """A function driver's probe returned a negative errno."""

    address: str
    driver: str
    errno: int


class DriverUnbound(msgspec.Struct, frozen=True):
    """A function driver's remove has ended."""

    address: str
    driver: str


class SlotCreated(msgspec.Struct, frozen=True):
    """A slot appeared in sysfs."""

    bus: str
    number: int
    name: str


class SlotDestroyed(msgspec.Struct, frozen=True):
    """The last holder of a slot let it go."""

    bus: str
    number: int
    name: str


class BarAssigned(msgspec.Struct, frozen=True):
    """A BAR was given an address in a bridge window; bytes."""

    address: str
    bar: int
    start: int
    size_bytes: int


class VectorAllocated(msgspec.Struct, frozen=True):
    """An interrupt holds a real vector on a CPU from now on."""

    irq: int
    cpu: int
    vector: int
    managed: bool


class VectorFreed(msgspec.Struct, frozen=True):
    """A vector went back to the matrix."""

    irq: int
    cpu: int
    vector: int


class InterruptRequested(msgspec.Struct, frozen=True):
    """request_irq() succeeded: a handler is installed and the line is open."""

    irq: int
    name: str


class InterruptFreed(msgspec.Struct, frozen=True):
    """free_irq() has ended: the handler cannot run any more."""

    irq: int
    name: str


class InterruptHandled(msgspec.Struct, frozen=True):
    """A handler ran to its end on a CPU."""

    irq: int
    cpu: int


class InterruptSpurious(msgspec.Struct, frozen=True):
    """A vector arrived that no interrupt owns on that CPU."""

    cpu: int
    vector: int
