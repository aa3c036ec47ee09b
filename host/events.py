# SPDX-License-Identifier: MIT
"""What happened on the host's side, in the past tense: the words a scenario waits for.

An event holds ids and never objects: ``bus`` is the name of the offer (a scenario's device),
``wslot`` the slot on it. A scenario's ``wait = "eject-complete-received"`` names a class of this
file in kebab case. What crosses the border between guest and host is in ``protocol/link.py``.
"""

import msgspec

from protocol.ids import RelId


class HostEvent(msgspec.Struct, frozen=True, gc=False):
    """Base of all; never emitted itself."""

    bus: str


class FunctionEvent(HostEvent, frozen=True, gc=False):
    """Something that happened to one function; never emitted itself."""

    wslot: int


# The channel


class ChannelOffered(HostEvent, frozen=True, gc=False):
    relid: RelId


class ChannelMoved(HostEvent, frozen=True, gc=False):
    """A guest that has connected again is offered the bus under another number than before."""

    before: RelId
    relid: RelId


class ChannelOpened(HostEvent, frozen=True, gc=False):
    relid: RelId


class ChannelClosed(HostEvent, frozen=True, gc=False):
    """The guest closed its channel; the offer stands."""

    relid: RelId


class Rescinded(HostEvent, frozen=True, gc=False):
    """From here on the host never touches the ring again."""

    relid: RelId


class RingRefused(HostEvent, frozen=True, gc=False):
    """The guest's ring could not be used (pages scattered, or indices out of range)."""

    reason: str


class WorkerStopped(HostEvent, frozen=True, gc=False):
    """The channel stays open and nobody reads it any more (profile ``openvmm``)."""

    reason: str


class IndexForged(msgspec.Struct, frozen=True, gc=False):
    """A hostile host has written ``value`` where its index of a ring is.

    ``ring`` is ``to-guest`` (its write index) or ``to-host`` (its read index).
    """

    relid: RelId
    ring: str
    value: int


class LengthForged(msgspec.Struct, frozen=True, gc=False):
    """A hostile host has said of a packet to the guest where its payload begins and where it ends.

    Both in units of 8 bytes from its descriptor on, and neither need be true.
    """

    relid: RelId
    offset8: int
    len8: int


class MessageRefused(msgspec.Struct, frozen=True, gc=False):
    """A control message the VMBus server does not accept; nothing is answered."""

    message: str
    reason: str


# Conversation


class VersionAgreed(HostEvent, frozen=True, gc=False):
    version: int


class VersionRefused(HostEvent, frozen=True, gc=False):
    version: int
    status: int


class BusRelationsSent(HostEvent, frozen=True, gc=False):
    wslots: tuple[int, ...]


class PacketRefused(HostEvent, frozen=True, gc=False):
    """A request the tables do not allow now, or that is damaged; ``status`` is what was answered.

    The guest sees it only if it asked for a completion.
    """

    message: str
    status: int
    reason: str


class RequestFailed(HostEvent, frozen=True, gc=False):
    """An injected fault: a lawful request was answered with ``status``."""

    message: str
    status: int


class RequestMisanswered(HostEvent, frozen=True, gc=False):
    """An injected fault: a request was answered with bytes that are no answer to it."""

    message: str
    answer: bytes


class RequestIgnored(HostEvent, frozen=True, gc=False):
    """An injected fault: a request was never answered."""

    message: str


# Power and resources


class D0Entered(HostEvent, frozen=True, gc=False):
    config_window: int


class D0Exited(HostEvent, frozen=True, gc=False):
    pass


class ConfigWindowRefused(HostEvent, frozen=True, gc=False):
    """The two pages overlap another bus's; D0 entry succeeds all the same (openvmm issue 1721)."""

    config_window: int


class ConfigWindowOverFramebuffer(HostEvent, frozen=True, gc=False):
    """The two pages overlap the VM's framebuffer, as they do where a guest does not know of it.

    Model: the window answers; what a Windows host does is not established.
    """

    config_window: int


class ResourcesAssigned(FunctionEvent, frozen=True, gc=False):
    pass


class ResourcesReleased(FunctionEvent, frozen=True, gc=False):
    pass


class PowerStateChanged(FunctionEvent, frozen=True, gc=False):
    power_state: int


class BarsMapped(FunctionEvent, frozen=True, gc=False):
    """Memory decoding went on: ``bars`` are mapped, the VP was held ``held_ns``."""

    bars: tuple[int, ...]
    held_ns: int


class BarsUnmapped(FunctionEvent, frozen=True, gc=False):
    bars: tuple[int, ...]
    held_ns: int


# Interrupts


class AccessDeferred(FunctionEvent, frozen=True, gc=False):
    """The function put off a ``read`` or ``write`` of its configuration space.

    The processor that made it stands still for ``held_ns``.
    """

    access: str
    held_ns: int


class InterruptCreated(FunctionEvent, frozen=True, gc=False):
    address: int
    data: int
    vector_count: int


class InterruptDeleted(FunctionEvent, frozen=True, gc=False):
    address: int
    data: int


class InterruptRefused(FunctionEvent, frozen=True, gc=False):
    """The hypervisor made no entry for a request; ``status`` is its HV_STATUS."""

    status: int


class InterruptRetargeted(msgspec.Struct, frozen=True, gc=False):
    """A retarget hypercall was understood; on HV_STATUS ``status`` 0 the entry is aimed at ``vps``.

    ``device_id`` as in the hypercall.
    """

    device_id: int
    address: int
    data: int
    vector: int
    vps: tuple[int, ...]
    status: int


class InterruptHeld(FunctionEvent, frozen=True, gc=False):
    """The device raised a masked vector (it is pending) or one that is turned off (it is lost)."""

    index: int


class InterruptRaised(FunctionEvent, frozen=True, gc=False):
    """The device sent a vector's message, and it found a remapping entry: it will be delivered."""

    index: int
    address: int
    data: int


class InterruptDropped(FunctionEvent, frozen=True, gc=False):
    """A device's message found no remapping entry."""

    index: int
    address: int
    data: int


# Configuration blocks


class BlockRead(FunctionEvent, frozen=True, gc=False):
    block_id: int
    status: int


class BlockWritten(FunctionEvent, frozen=True, gc=False):
    block_id: int
    status: int


class BlockInvalidateSent(FunctionEvent, frozen=True, gc=False):
    block_mask: int


# Removal


class EjectSent(FunctionEvent, frozen=True, gc=False):
    pass


class EjectCompleteReceived(FunctionEvent, frozen=True, gc=False):
    pass


class EjectOverdue(FunctionEvent, frozen=True, gc=False):
    """The grace period ran out: the host removes the function by force."""


class DeviceUnassigned(FunctionEvent, frozen=True, gc=False):
    """The function is gone: its registers read all ones, its interrupts no longer exist."""
