# SPDX-License-Identifier: MIT
"""The classes that the reference guest is made of, and how others are put in front of them.

Knows neither what the classes do nor why somebody wants another one; of architectures, which
classes each takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar, cast

from guest.kernel.irq_apic import ApicDomain
from guest.kernel.irq_core import IrqCore
from guest.kernel.irq_parent import MakeParent
from guest.pci_core.subsystem import PciSubsystem
from guest.pci_hyperv.arch import ArchPolicy
from guest.pci_hyperv.arch_arm64 import Arm64Arch
from guest.pci_hyperv.arch_x86 import X86Arch
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.spi_domain import SpiDomain
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.interrupts import VmbusInterrupts

T = TypeVar("T")


class Parts(NamedTuple):
    """One class for each part of a guest; ``arch`` is x86's."""

    driver: type[HvPciDriver] = HvPciDriver
    arch: type[X86Arch] = X86Arch
    arm64: type[Arm64Arch] = Arm64Arch
    vmbus: type[VmbusConnection] = VmbusConnection
    vmbus_interrupts: type[VmbusInterrupts] = VmbusInterrupts
    pci: type[PciSubsystem] = PciSubsystem
    irqs: type[IrqCore] = IrqCore


PARTS: Final = Parts()


class Architecture(NamedTuple):
    """What an architecture takes of the parts, the domain of its vectors, and its own addresses.

    ``iomem`` has what the kernel keeps to itself within reach of VMBus's address ranges, by name.
    """

    policy: Callable[[Parts], ArchPolicy]
    vectors: MakeParent
    iomem: Mapping[str, tuple[int, int]]


def _x86(parts: Parts) -> ArchPolicy:
    return parts.arch()


def _arm64(parts: Parts) -> ArchPolicy:
    return parts.arm64()


_APICS: Final = {
    "IOAPIC 0": (0xFEC0_0000, 0xFEC0_03FF),
    "Local APIC": (0xFEE0_0000, 0xFEE0_0FFF),
}
ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "x86-64": Architecture(_x86, ApicDomain, _APICS),
    "arm64": Architecture(_arm64, SpiDomain, {}),
}


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
