# SPDX-License-Identifier: MIT
"""What happened in the guest, in the past tense. Knows ids, never objects, and no time stamp.

Each event is an immutable, positional record. Channels are named by their ``relid``, functions by
the wire's slot number (``wslot``), interrupts by Linux's number (``irq``). Who receives them stamps
them; emitting one never changes a run.
"""

from __future__ import annotations

import msgspec

from protocol.ids import Gpa, RelId, SlotNumber, TransactionId, Vector, VpIndex


class GuestEvent(msgspec.Struct, frozen=True, gc=False):
    """Base of the guest's events."""


class KernelCrashed(GuestEvent, frozen=True, gc=False):
    """The running kernel died; nothing of it runs any more but its crash path, on this processor.

    Nothing is owed by it, nor to it, from here on.
    """

    vp: VpIndex


class UnloadAwaited(GuestEvent, frozen=True, gc=False):
    """A crashed kernel has waited so long for the answer to UNLOAD."""

    waited_ms: int


class UnloadEnded(GuestEvent, frozen=True, gc=False):
    """A crashed kernel waits for the answer to UNLOAD no longer; whether it came."""

    answered: bool


class KernelBooted(GuestEvent, frozen=True, gc=False):
    """A kernel begins: its number, counted from 1, and its processors.

    Told of those that follow on one that crashed.
    """

    number: int
    vps: tuple[VpIndex, ...]


class FunctionReturned(GuestEvent, frozen=True, gc=False):
    """A driver function came back with ``errno`` (0, or the negative number C returns).

    The entry points (``hv_pci_probe``, ``hv_pci_suspend``, ``hv_pci_resume``) say so always, as do
    those of the whole machine (``hibernate``, ``vmbus_bus_suspend``, ``vmbus_bus_resume``, under
    relid 0, which no channel has); other functions only when they fail.
    """

    relid: RelId
    function: str
    errno: int


class CommandFailed(GuestEvent, frozen=True, gc=False):
    """Somebody at a shell was refused: what the kernel said to ``command``, negative."""

    command: str
    errno: int


class ProcessesFrozen(GuestEvent, frozen=True, gc=False):
    """The guest begins to hibernate: user processes stand still, and devices are put to sleep."""


class MachinePoweredOff(GuestEvent, frozen=True, gc=False):
    """The guest hibernates: its memory is saved, and nothing of it runs."""


class MachinePoweredOn(GuestEvent, frozen=True, gc=False):
    """The guest's memory is back, and it goes on where it was."""


class DriverRemoved(GuestEvent, frozen=True, gc=False):
    """``hv_pci_remove`` has finished: nothing of the bus is left."""

    relid: RelId


class RescindFlagRaised(GuestEvent, frozen=True, gc=False):
    """``channel->rescind`` was set: the guest knows that the host has taken the offer back."""

    relid: RelId


class BusStateChanged(GuestEvent, frozen=True, gc=False):
    """``hbus->state`` was written: ``init``, ``probed``, ``installed`` or ``removing``."""

    relid: RelId
    state: str


class RootBusRemovalBegan(GuestEvent, frozen=True, gc=False):
    """``hv_pci_remove`` begins to take the PCI bus down: no work may run from here on."""

    relid: RelId


class VersionNegotiated(GuestEvent, frozen=True, gc=False):
    """The host accepted this vPCI version, e.g. ``1.4``."""

    relid: RelId
    version: str


class DomainChosen(GuestEvent, frozen=True, gc=False):
    """The bus got its PCI domain; ``requested`` differs after a collision."""

    relid: RelId
    requested: int
    domain: int


class DomainFreed(GuestEvent, frozen=True, gc=False):
    """The bus gave its PCI domain back: another one may take it."""

    relid: RelId
    domain: int


class RequestCompleted(GuestEvent, frozen=True, gc=False):
    """A completion found its request; its size is as the driver saw it, padding included."""

    relid: RelId
    transaction_id: TransactionId
    packet_bytes: int


class PacketDropped(GuestEvent, frozen=True, gc=False):
    """The channel callback refused a packet; ``reason`` is the driver's own word for it."""

    relid: RelId
    reason: str


class RelationsQueued(GuestEvent, frozen=True, gc=False):
    """A list of ``count`` functions waits; ``coalesced`` if a queued work will take it."""

    relid: RelId
    count: int
    coalesced: bool


class RelationsProcessed(GuestEvent, frozen=True, gc=False):
    """The worker has made the children agree with the newest list, of ``count`` functions."""

    relid: RelId
    count: int


class ChildAdded(GuestEvent, frozen=True, gc=False):
    """A function was linked into the bus's children."""

    relid: RelId
    wslot: SlotNumber
    vendor: int
    device: int
    serial: int


class ChildRemoved(GuestEvent, frozen=True, gc=False):
    """A function was unlinked; ``why`` is ``eject``, ``relations`` or ``bus-exit``."""

    relid: RelId
    wslot: SlotNumber
    serial: int
    why: str


class ChildFreed(GuestEvent, frozen=True, gc=False):
    """The last reference to a function has gone."""

    relid: RelId
    wslot: SlotNumber
    serial: int


class EjectQueued(GuestEvent, frozen=True, gc=False):
    """The channel callback queued the eject work of a function."""

    relid: RelId
    wslot: SlotNumber


class EjectCompleted(GuestEvent, frozen=True, gc=False):
    """The worker told the host that the function is free; ``errno`` is what sending returned."""

    relid: RelId
    wslot: SlotNumber
    errno: int


class MessageIgnored(GuestEvent, frozen=True, gc=False):
    """An EJECT or BUS_RELATIONS came while the bus was being removed."""

    relid: RelId
    message: str


class D0Entered(GuestEvent, frozen=True, gc=False):
    """The host accepted the configuration window at this address."""

    relid: RelId
    window_gpa: Gpa


class D0Left(GuestEvent, frozen=True, gc=False):
    """The bus left D0, or gave up waiting for it (``errno``)."""

    relid: RelId
    errno: int


class ResourcesAssigned(GuestEvent, frozen=True, gc=False):
    """The host accepted RESOURCES_ASSIGNED for this function."""

    relid: RelId
    wslot: SlotNumber


class ResourcesReleased(GuestEvent, frozen=True, gc=False):
    """RESOURCES_RELEASED was sent for this function."""

    relid: RelId
    wslot: SlotNumber


class BridgeWindowAllocated(GuestEvent, frozen=True, gc=False):
    """A bridge window (``low`` below 4 GiB, or ``high``) was claimed."""

    relid: RelId
    window: str
    start: Gpa
    size_bytes: int


class ChildSlotCreated(GuestEvent, frozen=True, gc=False):
    """A PCI slot, named by the function's serial number, was registered."""

    relid: RelId
    wslot: SlotNumber
    name: str


class ChildSlotDestroyed(GuestEvent, frozen=True, gc=False):
    """The driver gave up its reference to the PCI slot."""

    relid: RelId
    wslot: SlotNumber


class MsiComposed(GuestEvent, frozen=True, gc=False):
    """The guest has an MSI message for ``irq``.

    ``vector`` is what it asked the host for and ``vector_count`` how many the mapping holds; 0 for
    a vector of a multi-MSI block that derives its message from the block's first.
    """

    relid: RelId
    wslot: SlotNumber
    irq: int
    vector: Vector
    vector_count: int
    address: int
    data: int


class MsiNotComposed(GuestEvent, frozen=True, gc=False):
    """Composing failed and the message is all zeroes."""

    relid: RelId
    irq: int
    reason: str


class MsiFreed(GuestEvent, frozen=True, gc=False):
    """The mapping behind ``address``/``data`` was given back, or its record dropped."""

    relid: RelId
    wslot: SlotNumber
    address: int
    data: int


class MsiRetargeted(GuestEvent, frozen=True, gc=False):
    """The retarget hypercall returned ``status`` (HV_STATUS; 1 also where none was made)."""

    relid: RelId
    irq: int
    cpus: tuple[int, ...]
    vector: Vector
    status: int


class BlockInvalidated(GuestEvent, frozen=True, gc=False):
    """The function driver's callback was told which configuration blocks are stale."""

    relid: RelId
    wslot: SlotNumber
    block_mask: int
