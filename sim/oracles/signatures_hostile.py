# SPDX-License-Identifier: MIT
"""How the open items show that take a host which does not mean well.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from guest.events import ChildAdded, ChildRemoved, MsiComposed
from host.events import ChannelOffered, IndexForged, InterruptCreated, LengthForged
from protocol.hypercall import HV_STATUS_SUCCESS, HVCALL_MMIO_READ
from protocol.link import HypercallMade, MessagePosted, PacketPublished
from protocol.ring import DESCRIPTOR_BYTES, MAX_PACKET_BYTES
from protocol.vmbus import ChannelMessageType, VmbusChannelOfferChannel
from protocol.vpci import PciQResReqResponse
from sim.oracles.known import Signature
from sim.oracles.law import HEAD_BYTES, Sees, forget

WIDE: Final = 0x4  # PCI_BASE_ADDRESS_MEM_TYPE_64
OFFER: Final = ChannelMessageType.CHANNELMSG_OFFERCHANNEL.to_bytes(HEAD_BYTES, "little")
PADDED_TO: Final = 8  # bytes of a ring
LAST_SLOT: Final = 0xFF  # five bits of device, three of function


class FailedRead(Signature):
    """A hypercall that was to read configuration space has failed, and what it left is used."""

    kinds = frozenset({"uninitialised"})

    def _called(self, event: HypercallMade, *_: object) -> None:
        self.possible |= event.code == HVCALL_MMIO_READ and event.result != HV_STATUS_SUCCESS

    sees: ClassVar[Sees] = {HypercallMade: _called}


class VendorIdNotRead(FailedRead):
    """Composing asks whether the device is still there."""

    item = "O12"
    what = ("hv_pcifront_get_vendor_id",)


class CommandNotRead(FailedRead):
    """Probe, or resume, switches memory decoding off."""

    item = "O24"
    what = ("prepopulate_bars",)


class WideLastBar(Signature):
    """A host has said of BAR 5 that it takes the word behind it, too."""

    item = "O13"
    kinds = frozenset({"out-of-bounds"})
    what = ("probed_bar",)

    def _answered(self, event: PacketPublished, *_: object) -> None:
        payload = event.payload.ljust(-(-len(event.payload) // PADDED_TO) * PADDED_TO, b"\0")
        if event.direction == "host-to-guest" and len(payload) >= PciQResReqResponse.SIZE:
            last = PciQResReqResponse.parse(payload).probed_bar[-1]
            self.shown |= bool(last & WIDE)

    sees: ClassVar[Sees] = {PacketPublished: _answered}


class StrangeSlot(Signature):
    """A function is in a slot that no bus has, or in one that is taken."""

    item = "O29"

    def __init__(self) -> None:
        super().__init__()
        self._taken: set[tuple[int, int]] = set()  # relid, wslot

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        forget(self._taken, event.relid)

    def _added(self, event: ChildAdded, *_: object) -> None:
        place = event.relid, event.wslot
        self.shown |= event.wslot > LAST_SLOT or place in self._taken
        self._taken.add(place)

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        self._taken.discard((event.relid, event.wslot))

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._taken.clear()

    sees: ClassVar[Sees] = {
        ChannelOffered: _offered,
        ChildAdded: _added,
        ChildRemoved: _removed,
    }


class IndexBeyondTheRing(Signature):
    """The host's write index is where no ring is."""

    item = "O30"
    kinds = frozenset({"hang"})
    what = ("never read to its end",)

    def _forged(self, event: IndexForged, *_: object) -> None:
        self.possible |= event.ring == "to-guest"

    sees: ClassVar[Sees] = {IndexForged: _forged}


class PastTheIndex(Signature):
    """A packet ends elsewhere than it says, or beyond the buffer of its reader."""

    item = "O38"
    kinds = frozenset({"hang"})
    what = ("never read to its end",)

    def _forged(self, *_: object) -> None:
        self.possible = True

    def _written(self, event: PacketPublished, *_: object) -> None:
        long = len(event.payload) > MAX_PACKET_BYTES - DESCRIPTOR_BYTES
        self.possible |= long and event.direction == "host-to-guest"

    sees: ClassVar[Sees] = {
        LengthForged: _forged,
        IndexForged: _forged,  # which makes the last packet longer than what is there
        PacketPublished: _written,
    }


class NumberLeftBehind(Signature):
    """An instance that the guest has a channel for was offered under another number."""

    item = "O39"
    kinds = frozenset({"use-after-free"})
    what = ("VmbusChannel",)

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[UUID, int] = {}  # of each instance, as it was offered last

    def _posted(self, event: MessagePosted, *_: object) -> None:
        if event.direction != "host-to-guest" or not event.payload.startswith(OFFER):
            return
        if len(event.payload) >= VmbusChannelOfferChannel.SIZE:
            offer = VmbusChannelOfferChannel.parse(event.payload)
            before = self._numbers.get(offer.offer.if_instance, offer.child_relid)
            self.possible |= before != offer.child_relid
            self._numbers[offer.offer.if_instance] = offer.child_relid

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._numbers.clear()

    sees: ClassVar[Sees] = {MessagePosted: _posted}


class ForgedMapping(Signature):
    """An interrupt has a message that no entry of the host's was made for."""

    item = "O31"
    kinds = frozenset({"wrong-value", "lost-interrupt"})

    def __init__(self) -> None:
        super().__init__()
        self._made: set[tuple[int, int]] = set()  # address, data

    def _created(self, event: InterruptCreated, *_: object) -> None:
        self._made.add((event.address, event.data))

    def _composed(self, event: MsiComposed, *_: object) -> None:
        self.shown |= bool(event.vector_count) and (event.address, event.data) not in self._made

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._made.clear()

    sees: ClassVar[Sees] = {InterruptCreated: _created, MsiComposed: _composed}
