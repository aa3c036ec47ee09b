# SPDX-License-Identifier: MIT
"""The classes that the reference guest is made of, and how others are put in front of them.

Knows neither what the classes do nor why somebody wants another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar, cast

from guest.kernel.irq_core import IrqCore
from guest.pci_core.subsystem import PciSubsystem
from guest.pci_hyperv.arch_x86 import X86Arch
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.interrupts import VmbusInterrupts

T = TypeVar("T")


class Parts(NamedTuple):
    """One class for each part of a guest."""

    driver: type[HvPciDriver] = HvPciDriver
    arch: type[X86Arch] = X86Arch
    vmbus: type[VmbusConnection] = VmbusConnection
    vmbus_interrupts: type[VmbusInterrupts] = VmbusInterrupts
    pci: type[PciSubsystem] = PciSubsystem
    irqs: type[IrqCore] = IrqCore


PARTS: Final = Parts()


def compose(base: type[T], mixins: Sequence[type]) -> type[T]:
    """``base`` with the mixins in front of it, under its own name; itself if there are none."""
    if not mixins:
        return base
    return cast("type[T]", type(base.__name__, (*mixins, base), {}))


def with_mixins(mixins: Mapping[str, Sequence[type]]) -> Parts:
    """The guest's parts, each with the mixins that go by its name.

    Raises ValueError for a part that no guest has. Of two that override one function the first
    counts; whether that is meant is for whoever brings them.
    """
    unknown = sorted(set(mixins) - set(Parts._fields))
    if unknown:
        raise ValueError(f"no part {unknown[0]!r}; there are {', '.join(Parts._fields)}")
    return PARTS._replace(
        **{part: compose(getattr(PARTS, part), classes) for part, classes in mixins.items()}
    )
