# SPDX-License-Identifier: MIT
"""The host's side of one VM: what a guest reaches by hypercall and MMIO, and the administrator.

The mutable owner: it feeds the VMBus server, the hypervisor and the buses, and carries out what
they ask through a clock, a guest port and guest memory. Refuses to know who stands behind those,
and any order but first in, first out; how late things are within their windows is the clock's.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from host.administrator import Administrator
from host.assigned import Surroundings
from host.bus import VpciBus
from host.channel_book import Renumber, Reoffer
from host.clock import Clock, GuestMemory, GuestPort
from host.deferral import ReadHold
from host.events import (
    ChannelClosed,
    ChannelMoved,
    ChannelOffered,
    ChannelOpened,
    InterruptRetargeted,
    MessageRefused,
    Rescinded,
    RingRefused,
)
from host.hypercalls import make_hypercall
from host.hypervisor import Hypervisor
from host.interrupts import ARCHITECTURES
from host.knobs import Knobs, with_knobs
from host.mmio import Mmio
from host.offered_channels import UnknownGpadl
from host.placement import PLACEMENTS
from host.profiles import PROFILES, vsp_of
from host.remapping import REMAPPABLE, SOFTWARE_TABLE
from host.ring_mapping import map_rings
from host.settings import PartitionConfig, check_bus, latencies, vmbus_dialects_up_to
from host.unreliable import Mischief, workers
from host.vmbus_effects import (
    ChannelFreed,
    ChannelRenumbered,
    ChannelRetargeted,
    CloseRing,
    Offer,
    OpenRing,
    PostToGuest,
)
from host.vmbus_effects import Effect as VmbusEffect
from host.vmbus_server import VmbusServer
from host.vsp import Phase, inputs
from host.vsp.rules import Profile, rules_for
from protocol.errors import LocalProtocolError, RemoteProtocolError, WireFormatError
from protocol.hypercall import (
    HV_STATUS_INSUFFICIENT_BUFFERS,
    HV_STATUS_INVALID_CONNECTION_ID,
    HV_STATUS_SUCCESS,
    HVCALL_POST_MESSAGE,
    HypercallResult,
    call_code,
)
from protocol.ids import ConnectionId, RelId, Vector, VpIndex
from protocol.link import ChannelEvent, HypercallMade, InterruptDelivered, MessagePosted
from protocol.ring import Ring
from protocol.status import STATUS_SUCCESS, STATUS_UNSUCCESSFUL
from protocol.synic import synic_message
from protocol.vmbus import message_name

# Model: how many messages a port holds is not established. A guest waits for most of its answers,
# so that two for each of 2,047 channels are more than one that means well has posted.
MESSAGES_WAITING_MAX: Final = 1 << 12

MSI_TABLES: Final = {table.name: table for table in (REMAPPABLE, SOFTWARE_TABLE)}


class Partition(Administrator):
    """A host partition around one guest; implements the guest's ``HostPort``.

    With ``mischief`` its channels are unreliable. Raises ValueError for a configuration that does
    not fit (unknown profile, knob, latency, impossible bus), naming what is wrong.
    """

    def __init__(
        self,
        config: PartitionConfig,
        clock: Clock,
        guest: GuestPort,
        memory: GuestMemory,
        emit: Callable[[object], None],
        mischief: Mischief | None = None,
    ) -> None:
        super().__init__(config.buses, clock)
        self._profile = _profile_of(config)
        self._knobs = knobs = _knobs_of(config, self._profile)
        arch = ARCHITECTURES[config.arch]
        vps = config.vps()
        self.hypervisor: Final = Hypervisor(
            vps,
            pcpus=config.pcpus,
            placement=PLACEMENTS[knobs.placement],
            msi_format=arch.msi_table or MSI_TABLES[knobs.msi_table],
            vectors=arch.vectors,
        )
        self.server: Final = _server_of(vps, knobs)
        self._guest = guest
        self._memory = memory
        self._emit = emit
        self._latency_ns = latencies(config.latency_ns)
        self._worker_of = workers(mischief)
        mmio = Mmio(
            emit,
            isolated=config.isolated,
            absent_status=knobs.absent_mmio_status,
            mischief=mischief,
        )
        self.mmio_read: Final = mmio.read
        self.mmio_write: Final = mmio.write
        self.called_read: Final = mmio.called_read
        self.called_write: Final = mmio.called_write
        read_hold = ReadHold()
        self.take_read_hold: Final = read_hold.take
        self._interrupts = arch.controller(vps, mmio.addresses, self._deliver)
        self._around = Surroundings(
            mmio.addresses,
            mmio.windows,
            self.hypervisor,
            clock,
            self._interrupts,
            emit,
            self._latency_ns,
            read_hold,
            config.framebuffer,
        )
        self._by_relid: dict[RelId, VpciBus] = {}
        self._messages: deque[bytes] = deque()
        self._messages_refused = knobs.messages_refused  # as many are still to be
        self._repetitions: Final = knobs.repetitions_told
        self._serving = False

    @property
    def messages_waiting(self) -> int:
        """Control messages of the guest that nobody has looked at yet."""
        return len(self._messages)

    def rings(self) -> dict[RelId, tuple[Ring, Ring]]:
        """Of each open channel the ring to the host and the one from it, as both ends have them."""
        workers = ((relid, bus.worker) for relid, bus in self._by_relid.items())
        return {relid: worker.rings for relid, worker in workers if worker is not None}

    # What the guest asks (HostPort)

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        """Carry out a hypercall."""
        result = make_hypercall(self.hypervisor, self, control, data).repeated(self._repetitions)
        code = call_code(control)
        told = b"" if code == HVCALL_POST_MESSAGE else data
        self._emit(HypercallMade(vp, code, result.status, told))
        return result

    def read_iar(self, vp: VpIndex) -> int:
        """Read the processor's ICC_IAR1_EL1 (arm64)."""
        return self._interrupts.acknowledge(vp)

    def write_eoir(self, intid: int) -> None:
        """Write a processor's ICC_EOIR1_EL1 (arm64)."""
        self._interrupts.end(intid)

    def post_message(self, connection_id: ConnectionId, payload: bytes) -> int:
        """Take a control message; it is answered within ``latency_ns["message"]``, in order.

        An error status without room for it, or if nobody has that connection id.
        """
        if self._messages_refused:
            self._messages_refused -= 1
            return HV_STATUS_INSUFFICIENT_BUFFERS
        if not self.server.hears(connection_id, payload):
            return HV_STATUS_INVALID_CONNECTION_ID
        if len(self._messages) >= MESSAGES_WAITING_MAX:
            return HV_STATUS_INSUFFICIENT_BUFFERS
        self._messages.append(payload)
        if len(self._messages) == 1:
            self._clock.later(self._latency_ns["message"], "message", self._next_message)
        return HV_STATUS_SUCCESS

    def signal_event(self, connection_id: ConnectionId, _flag: int) -> int:
        """Wake the worker of an open channel; an error status for one that is not."""
        relid = self.server.signalled(connection_id)
        if relid is None:
            return HV_STATUS_INVALID_CONNECTION_ID
        worker = self._by_relid[relid].worker
        if worker is not None:
            worker.signalled()
        return HV_STATUS_SUCCESS

    def power_off(self) -> None:
        """The guest has switched itself off: what it was lent is reset, and still its own."""
        self.server.power_off()
        self._serve()
        for bus in self._by_relid.values():
            bus.reset()
        self._interrupts.reset()

    def interrupt_retargeted(self, event: InterruptRetargeted) -> None:
        """The hypervisor has looked at a retarget hypercall."""
        self._emit(event)

    # The VMBus server

    def _next_message(self) -> None:
        payload = self._messages.popleft()
        if self._messages:
            self._clock.later(self._latency_ns["message"], "message", self._next_message)
        try:
            self.server.post_message(payload)
        except RemoteProtocolError as refused:
            self._emit(MessageRefused(_name_of(payload), str(refused)))
        self._serve()

    def _serve(self) -> None:
        """Carry out what the server asks, and what comes of that."""
        if self._serving:
            return
        self._serving = True
        try:
            while effects := self.server.take_effects():
                for effect in effects:
                    _SERVE[type(effect)](self, effect)
        finally:
            self._serving = False

    def post_to_guest(self, effect: PostToGuest) -> None:
        """Effect: a control message goes to the guest."""
        self._emit(MessagePosted("host-to-guest", effect.payload))
        self._guest.synic_message(effect.vp, synic_message(effect.payload))

    def open_ring(self, effect: OpenRing) -> None:
        """Effect: map the rings and start to read."""
        bus = self._by_relid[effect.relid]
        try:
            inbound, outbound = map_rings(self._memory, effect)
        except (LocalProtocolError, RemoteProtocolError) as fault:
            self._emit(RingRefused(bus.name, str(fault)))
            self.server.opened(effect.relid, STATUS_UNSUCCESSFUL)
            return
        bus.worker = self._worker_of(bus.name)(
            relid=effect.relid,
            inbound=inbound,
            outbound=outbound,
            owner=bus,
            on_signal=self._signal,
            clock=self._clock,
            emit=self._emit,
            window_ns=self._latency_ns["reply"],
            label=f"reply {bus.name}",
            reply_room_bytes=self._knobs.reply_room_bytes,
            id_zero_answered=self._knobs.id_zero_answered,
        )
        bus.feed(inputs.ChannelOpened())
        self.server.opened(effect.relid, STATUS_SUCCESS)
        self._emit(ChannelOpened(bus.name, effect.relid))

    def close_ring(self, effect: CloseRing) -> None:
        """Effect: the rings are the guest's alone again."""
        bus = self._by_relid[effect.relid]
        bus.drop_worker()
        if bus.state.phase is Phase.GONE:
            return  # the rescind closed it
        bus.feed(inputs.ChannelClosed())
        self._emit(ChannelClosed(bus.name, effect.relid))

    def channel_retargeted(self, _effect: ChannelRetargeted) -> None:
        """Effect: nothing to do, the server is asked for the target at each signal."""

    def channel_freed(self, effect: ChannelFreed) -> None:
        """Effect: nobody knows the relid any more."""
        self._by_relid.pop(effect.relid, None)

    def channel_renumbered(self, effect: ChannelRenumbered) -> None:
        """Effect: the bus's channel has another number from here on."""
        bus = self._by_relid.pop(effect.before)
        bus.relid = effect.relid
        self._by_relid[effect.relid] = bus
        self._emit(ChannelMoved(bus.name, effect.before, effect.relid))

    # What the buses ask

    def _signal(self, relid: RelId) -> None:
        vp = self.server.event_target(relid)
        if vp is None:
            return
        self._emit(ChannelEvent(relid))
        self._guest.synic_event(vp, relid)

    def _deliver(self, vp: VpIndex, vector: Vector) -> None:
        self._emit(InterruptDelivered(vp, vector))
        self._guest.deliver_vector(vp, vector)

    def _rescind(self, bus: VpciBus) -> None:
        bus.drop_worker()
        self.server.rescind(bus.relid)
        self._emit(Rescinded(bus.name, bus.relid))
        self._serve()

    # The administrator (the rest is the base class's)

    def offer(self, name: str) -> RelId:
        """Offer a bus for the first time, or again after its rescind.

        Raises LocalProtocolError while it is offered.
        """
        config = self.config(name)
        before = self._buses.get(name)
        if before is not None and before.state.phase is not Phase.GONE:
            raise LocalProtocolError(f"{name} is offered already")
        relid = self.server.offer(Offer(config.instance_id))
        bus = VpciBus(
            config,
            vsp_of(self._profile.name, name, self._knobs),
            self._around,
            relid=relid,
            on_rescind=self._rescind,
        )
        self._buses[name] = self._by_relid[relid] = bus
        self._emit(ChannelOffered(name, relid))
        self._serve()
        return relid

    reoffer = offer

    def forge_message(self, payload: bytes) -> None:
        """A hostile host: these bytes, at most 240, as a control message of VMBus."""
        self.server.forge(payload)
        self._serve()


def _profile_of(config: PartitionConfig) -> Profile:
    if config.profile not in PROFILES:
        raise ValueError(f"unknown host profile {config.profile!r}; known: {', '.join(PROFILES)}")
    return PROFILES[config.profile]


def _knobs_of(config: PartitionConfig, profile: Profile) -> Knobs:
    """The profile's knobs as the configuration turns them; its buses have to fit them."""
    knobs = with_knobs(profile.knobs, dict(config.knobs))
    rules_for("", knobs)  # a version nobody knows shows before the first offer
    for bus in config.buses:
        check_bus(bus, single_function=not knobs.eject_supported)
    return knobs


def _server_of(vps: Sequence[VpIndex], knobs: Knobs) -> VmbusServer:
    """The VMBus server that the knobs ask for."""
    return VmbusServer(
        vps,
        dialects=vmbus_dialects_up_to(knobs.highest_vmbus_version),
        reoffer=Reoffer(knobs.reoffer),
        renumber=Renumber(knobs.relids_after_unload),
        unknown_gpadl=UnknownGpadl(knobs.gpadl_of_unknown_channel),
        rescinds_also_to=vps[-1:] if knobs.repeat_rescind else (),
        unload_ignored=knobs.unload_ignored,
        message_connection_id=knobs.message_connection_id,
    )


def _name_of(payload: bytes) -> str:
    try:
        return message_name(payload)
    except WireFormatError:
        return "(too short)"


_SERVE: Final[dict[type[VmbusEffect], Callable[[Partition, Any], None]]] = {
    PostToGuest: Partition.post_to_guest,
    OpenRing: Partition.open_ring,
    CloseRing: Partition.close_ring,
    ChannelRetargeted: Partition.channel_retargeted,
    ChannelFreed: Partition.channel_freed,
    ChannelRenumbered: Partition.channel_renumbered,
}
