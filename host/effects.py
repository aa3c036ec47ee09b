# SPDX-License-Identifier: MIT
"""What the VSP asks of its owner: values, not calls. Knows no clock, no ring and no register.

``host.vsp`` returns them, ``host.partition`` carries them out in order. Those that have a result
carry a :class:`Ticket`, which comes back with the result (``host.vsp.inputs``): so the state
machine need not remember who asked.
"""

import msgspec

from host.events import HostEvent
from protocol.ids import Gpa, SlotNumber, TransactionId, VpIndex


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """Who waits for a result: the request's type, its transaction id, and whether it wants one.

    ``echo`` is what the reply must repeat of the request (the resource list of
    ``ASSIGNED_RESOURCES``), empty otherwise.
    """

    message_type: int
    transaction_id: TransactionId
    wants_completion: bool
    echo: bytes = b""


class InterruptRequest(msgspec.Struct, frozen=True, gc=False):
    """One interrupt block, whichever of the three descriptor forms the guest used.

    ``targets`` are VP indices, or None for "any processor" (the all-ones mask of version 1.1,
    Linux's ``CPU_AFFINITY_ALL``).
    """

    vector: int
    vector_count: int
    delivery_mode: int
    targets: tuple[VpIndex, ...] | None


class InterruptEntry(msgspec.Struct, frozen=True, gc=False):
    """A live remapping entry as the guest knows it: the message to write into the device."""

    address: int
    data: int
    vector_count: int


class SendPacket(msgspec.Struct, frozen=True, gc=False):
    """An unsolicited in-band packet: no completion asked, transaction id 0."""

    payload: bytes


class Complete(msgspec.Struct, frozen=True, gc=False):
    """A completion packet."""

    transaction_id: TransactionId
    payload: bytes


class MapConfigWindow(msgspec.Struct, frozen=True, gc=False):
    """Intercept two pages from ``gpa``: slot select and configuration space."""

    gpa: Gpa


class UnmapConfigWindow(msgspec.Struct, frozen=True, gc=False):
    pass


class CreateInterrupts(msgspec.Struct, frozen=True):
    """Create remapping entries, in order, up to the first that fails.

    Result: ``inputs.InterruptsCreated`` with the entries that exist.
    """

    wslot: SlotNumber
    requests: tuple[InterruptRequest, ...]
    ticket: Ticket


class DeleteInterrupt(msgspec.Struct, frozen=True, gc=False):
    wslot: SlotNumber
    address: int
    data: int


class SetBars(msgspec.Struct, frozen=True, gc=False):
    """Write the six base registers; a register that decodes ignores it (the device's rule)."""

    wslot: SlotNumber
    bars: tuple[int, int, int, int, int, int]


class SetMemoryDecoding(msgspec.Struct, frozen=True, gc=False):
    """Turn the Command register's memory bit on or off, as a power change or a release does."""

    wslot: SlotNumber
    enabled: bool


class ReadResources(msgspec.Struct, frozen=True, gc=False):
    """Read the six base registers back. Result: ``inputs.ResourcesRead``."""

    wslot: SlotNumber
    ticket: Ticket


class ReadBlock(msgspec.Struct, frozen=True, gc=False):
    """Result: ``inputs.BlockFetched``."""

    wslot: SlotNumber
    block_id: int
    size_bytes: int
    ticket: Ticket


class WriteBlock(msgspec.Struct, frozen=True, gc=False):
    """Result: ``inputs.BlockStored``."""

    wslot: SlotNumber
    block_id: int
    data: bytes
    ticket: Ticket


class RequestTurn(msgspec.Struct, frozen=True, gc=False):
    """Ask for ``inputs.InvalidationDue`` when the channel has room and it is this one's turn.

    Until then further masks are merged: that is the coalescing the interface promises.
    """

    wslot: SlotNumber


class ArmTimer(msgspec.Struct, frozen=True, gc=False):
    """Result: ``inputs.TimerExpired``; ``delay_ns`` None means the owner's latency of that name."""

    name: str
    wslot: SlotNumber
    delay_ns: int | None = None


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    name: str
    wslot: SlotNumber


class ReleaseFunction(msgspec.Struct, frozen=True, gc=False):
    """Take the function away from the guest: accesses read all ones, its entries are gone."""

    wslot: SlotNumber


class RescindChannel(msgspec.Struct, frozen=True, gc=False):
    """Withdraw the offer; nothing is written to the ring afterwards."""


class StopWorker(msgspec.Struct, frozen=True, gc=False):
    """Read the ring no more; the channel stays open (a dead worker of OpenVMM)."""

    reason: str


class KeepRequest(msgspec.Struct, frozen=True, gc=False):
    """An armed fault has met this request: keep its id, so that it can be answered late."""

    message_type: int
    transaction_id: TransactionId


class Report(msgspec.Struct, frozen=True, gc=False):
    """Tell observers; changes nothing."""

    event: HostEvent


Effect = (
    SendPacket
    | Complete
    | MapConfigWindow
    | UnmapConfigWindow
    | CreateInterrupts
    | DeleteInterrupt
    | SetBars
    | SetMemoryDecoding
    | ReadResources
    | ReadBlock
    | WriteBlock
    | RequestTurn
    | ArmTimer
    | CancelTimer
    | ReleaseFunction
    | RescindChannel
    | StopWorker
    | KeepRequest
    | Report
)
