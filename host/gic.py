# SPDX-License-Identifier: MIT
"""The interrupt distributor of an arm64 VM: what the guest writes into it, and what comes of that.

The hypervisor keeps the state of every shared peripheral interrupt (SPI): enabled, pending, active,
and the processor that its route names. Guests reach it by MMIO and by two system registers, never
by hypercall. Knows no device and no message; that an SPI came is told by whoever looked it up.

Model: edge-triggered SPIs of one group and one priority, which is all that vPCI uses; of the
registers those that say enabled, pending, active and routed. Others read as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from host.clock import Deliver
from protocol.gic import (
    BANK_BYTES,
    GICD_ICACTIVER,
    GICD_ICENABLER,
    GICD_ICPENDR,
    GICD_IROUTER,
    GICD_ISACTIVER,
    GICD_ISENABLER,
    GICD_ISPENDR,
    INTIDS_PER_WORD,
    ROUTE_BYTES,
    SPI_FIRST,
    SPI_LAST,
    SPURIOUS_INTID,
    affinity_of,
    vp_of,
)
from protocol.ids import Vector, VpIndex

SPIS: Final = range(SPI_FIRST, SPI_LAST + 1)
_SPI_BITS: Final = (1 << SPIS.stop) - (1 << SPIS.start)
_WORD: Final = (1 << INTIDS_PER_WORD) - 1


class Distributor:
    """One VM's SPIs. ``deliver`` raises the interrupt line of a processor for one of them.

    Sets of SPIs are ints, bit n for INTID n. Out of reset all are disabled and go to the first
    processor.
    """

    __slots__ = ("_deliver", "_routes", "_signalled", "_vps", "active", "enabled", "pending")

    def __init__(self, vps: Sequence[VpIndex], deliver: Deliver) -> None:
        self._deliver = deliver
        self._vps = tuple(vps)
        self._routes: dict[int, int] = {}
        self._signalled: dict[int, VpIndex] = {}  # whose line was raised for it, until it looks
        self.reset()

    def reset(self) -> None:
        """The machine was switched off."""
        self.enabled = self.pending = self.active = 0
        self._routes.update(dict.fromkeys(SPIS, affinity_of(self._vps[0])))
        self._signalled.clear()

    def arrive(self, _vp: VpIndex, vector: Vector) -> None:
        """A device's message has come in: the SPI is pending, wherever it was meant to go."""
        self.pend(1 << vector)

    # The processor's interface

    def acknowledge(self, vp: VpIndex) -> int:
        """Read ICC_IAR1_EL1: the lowest SPI that waits for this processor is active from now on.

        1023 if there is none any more: it was masked or routed elsewhere since the line was raised.
        """
        for intid in sorted(self._signalled):
            if self._signalled[intid] != vp:
                continue
            del self._signalled[intid]
            if self._ready() >> intid & 1:
                self.pending &= ~(1 << intid)
                self.active |= 1 << intid
                return intid
        return SPURIOUS_INTID

    def end(self, intid: int) -> None:
        """Write ICC_EOIR1_EL1: it has been handled, and may come again."""
        self.active &= ~(1 << intid)
        self._offer(1 << intid)

    # The distributor's registers

    def read(self, offset: int, size: int) -> int:
        """Read a register; all that is not modelled reads as zero."""
        if GICD_IROUTER <= offset < GICD_IROUTER + ROUTE_BYTES * SPIS.stop:
            return self._routes.get((offset - GICD_IROUTER) // ROUTE_BYTES, 0)
        bank = _BANKS.get(offset // BANK_BYTES * BANK_BYTES)
        if bank is None:
            return 0
        spis: int = getattr(self, bank.state)
        return spis >> 8 * (offset % BANK_BYTES) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> int:
        """Write a register; the processor is not held. A bit of zero changes nothing."""
        del size
        if GICD_IROUTER <= offset < GICD_IROUTER + ROUTE_BYTES * SPIS.stop:
            self._route((offset - GICD_IROUTER) // ROUTE_BYTES, value)
            return 0
        bank = _BANKS.get(offset // BANK_BYTES * BANK_BYTES)
        if bank is not None:
            bank.change(self, (value & _WORD) << 8 * (offset % BANK_BYTES) & _SPI_BITS)
        return 0

    def _route(self, intid: int, affinity: int) -> None:
        """Model: a route to a processor that is not there is kept, and nothing is delivered."""
        if intid in SPIS:
            self._routes[intid] = affinity
            self._offer(1 << intid)

    def enable(self, spis: int) -> None:
        """GICD_ISENABLER."""
        self.enabled |= spis
        self._offer(spis)

    def disable(self, spis: int) -> None:
        """GICD_ICENABLER: what is pending stays so, and no line is raised for it any more."""
        self.enabled &= ~spis
        for intid in [intid for intid in self._signalled if spis >> intid & 1]:
            del self._signalled[intid]

    def pend(self, spis: int) -> None:
        """GICD_ISPENDR."""
        self.pending |= spis
        self._offer(spis)

    def unpend(self, spis: int) -> None:
        """GICD_ICPENDR."""
        self.pending &= ~spis

    def activate(self, spis: int) -> None:
        """GICD_ISACTIVER."""
        self.active |= spis

    def deactivate(self, spis: int) -> None:
        """GICD_ICACTIVER."""
        self.active &= ~spis
        self._offer(spis)

    def _ready(self) -> int:
        return self.pending & self.enabled & ~self.active

    def _offer(self, spis: int) -> None:
        """Raise the line of the processor that each of them waits for, once."""
        ready = self._ready() & spis
        while ready:
            intid = (ready & -ready).bit_length() - 1
            ready &= ready - 1
            vp = vp_of(self._routes[intid])
            if vp in self._vps and self._signalled.get(intid) != vp:
                self._signalled[intid] = vp
                self._deliver(vp, Vector(intid))


class _Bank(NamedTuple):
    """What a register of bits reads, and what the ones that are written to it do."""

    state: str
    change: Callable[[Distributor, int], None]


_BANKS: Final[Mapping[int, _Bank]] = {
    GICD_ISENABLER: _Bank("enabled", Distributor.enable),
    GICD_ICENABLER: _Bank("enabled", Distributor.disable),
    GICD_ISPENDR: _Bank("pending", Distributor.pend),
    GICD_ICPENDR: _Bank("pending", Distributor.unpend),
    GICD_ISACTIVER: _Bank("active", Distributor.activate),
    GICD_ICACTIVER: _Bank("active", Distributor.deactivate),
}
