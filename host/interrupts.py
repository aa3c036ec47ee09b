# SPDX-License-Identifier: MIT
"""Where a device's interrupt goes once its message has been looked up, by architecture.

On x86 straight to the local APIC of the processor that the remapping entry names. On arm64 to the
distributor (``host.gic``), which has its own mind about the processor. Knows no device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from host.address_map import AddressMap
from host.clock import Deliver
from host.gic import SPIS, Distributor
from host.remapping import SPI_TABLE, MsiFormat
from protocol.errors import LocalProtocolError
from protocol.gic import GICD_BASE, GICD_BYTES
from protocol.ids import Vector, VpIndex


class InterruptController(Protocol):
    """What stands between the remapping entries and the processors."""

    def arrive(self, vp: VpIndex, vector: Vector) -> None:
        """An interrupt has come in; its remapping entry names these two."""

    def acknowledge(self, vp: VpIndex) -> int:
        """A processor asks which interrupt waits for it."""

    def end(self, intid: int) -> None:
        """A processor has handled one."""

    def reset(self) -> None:
        """The machine was switched off."""


class LocalApics:
    """x86: a vector goes where its entry says; the processor's answer never leaves it."""

    def __init__(self, deliver: Deliver) -> None:
        self.arrive = deliver

    def acknowledge(self, _vp: VpIndex) -> int:
        """There is nothing to ask. Raises LocalProtocolError."""
        raise LocalProtocolError("an x86 processor has no register of that kind")

    def end(self, _intid: int) -> None:
        """There is nobody to tell. Raises LocalProtocolError."""
        raise LocalProtocolError("an x86 processor has no register of that kind")

    def reset(self) -> None:
        """Nothing is kept here."""


class HostArchitecture(NamedTuple):
    """What differs between architectures on the host's side.

    ``vectors`` are those that an interrupt may be asked for. ``msi_table`` is what its messages
    look like, None where the knob of that name decides.
    """

    vectors: range
    msi_table: MsiFormat | None
    controller: Callable[[Sequence[VpIndex], AddressMap, Deliver], InterruptController]


def _apics(_vps: Sequence[VpIndex], _addresses: AddressMap, deliver: Deliver) -> LocalApics:
    return LocalApics(deliver)


def _gic(vps: Sequence[VpIndex], addresses: AddressMap, deliver: Deliver) -> Distributor:
    """A distributor, where guests look for it."""
    gic = Distributor(vps, deliver)
    addresses.claim_region(GICD_BASE, GICD_BYTES, gic.read, gic.write)
    return gic


# x86 vectors 0-15 cannot be delivered by a local APIC (SDM vol. 3, 11.5.2).
X86_VECTORS: Final = range(16, 256)
X86: Final = HostArchitecture(X86_VECTORS, None, _apics)
# OpenVMM takes SPIs 32 to 1019.
# Model: it also wants a power of two of them, which no source says of Windows; not checked. Nor
# does any say what HVCALL_RETARGET_INTERRUPT does here: it changes an entry's processor, which the
# distributor does not look at. Linux never makes it.
ARM64: Final = HostArchitecture(SPIS, SPI_TABLE, _gic)

ARCHITECTURES: Final[Mapping[str, HostArchitecture]] = {"x86-64": X86, "arm64": ARM64}
