# SPDX-License-Identifier: MIT
"""The classes that the reference guest is made of, and how others are put in front of them.

Data and one rule; knows neither what the classes do nor why somebody wants another one.
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
    """``base`` with the mixins in front of it, under its own name; itself if there are none.

    Raises ValueError, which names both, if two mixins override the same function.
    """
    if not mixins:
        return base
    owners: dict[str, type] = {}
    for mixin in mixins:
        for function in _overridden(mixin):
            owner = owners.setdefault(function, mixin)
            if owner is not mixin:
                raise ValueError(
                    f"{owner.__name__} and {mixin.__name__} both override {function}()"
                )
    return cast("type[T]", type(base.__name__, (*mixins, base), {}))


def with_mixins(mixins: Mapping[str, Sequence[type]]) -> Parts:
    """The guest's parts, each with the mixins that go by its name.

    Raises ValueError for a part that no guest has, and as :func:`compose` does.
    """
    unknown = sorted(set(mixins) - set(Parts._fields))
    if unknown:
        raise ValueError(f"no part {unknown[0]!r}; there are {', '.join(Parts._fields)}")
    return PARTS._replace(
        **{part: compose(getattr(PARTS, part), classes) for part, classes in mixins.items()}
    )


def _overridden(mixin: type) -> list[str]:
    """What a mixin puts in place of the base's: all that it defines itself."""
    given = ("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__slots__")
    return [name for name in vars(mixin) if name not in given and name != "__annotations__"]
