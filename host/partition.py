# SPDX-License-Identifier: MIT
"""The host's side of one VM: what a guest reaches by hypercall and MMIO, and the administrator.

The mutable owner: it feeds the VMBus server, the hypervisor and the buses, and carries out what
they ask through a clock, a guest port and guest memory. Refuses to know who stands behind those,
and any order but first in, first out; how late things are within their windows is the clock's.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from host.address_map import AddressMap, all_ones
from host.assigned import Surroundings
from host.bus import VpciBus
from host.channel_worker import ChannelWorker
from host.clock import Clock, GuestMemory, GuestPort
from host.events import (
    ChannelClosed,
    ChannelOffered,
    ChannelOpened,
    MessageRefused,
    Rescinded,
    RingRefused,
)
from host.hypercalls import make_hypercall
from host.hypervisor import PLACEMENTS, Hypervisor
from host.knobs import with_knobs
from host.profiles import PROFILES
from host.settings import BusConfig, PartitionConfig, check_bus, latencies
from host.vmbus_effects import (
    ChannelFreed,
    ChannelRetargeted,
    CloseRing,
    Offer,
    OpenRing,
    PostToGuest,
)
from host.vmbus_effects import Effect as VmbusEffect
from host.vmbus_server import VmbusServer
from host.vsp import Phase, Vsp, inputs
from host.vsp.rules import Rules, rules_for
from protocol.errors import LocalProtocolError, RemoteProtocolError, WireFormatError
from protocol.hypercall import HV_STATUS_INVALID_CONNECTION_ID, HV_STATUS_SUCCESS
from protocol.ids import ConnectionId, Gpa, RelId, SlotNumber, VpIndex
from protocol.link import ChannelEvent, HypercallMade, MessagePosted, UnclaimedAccess
from protocol.ring import OPENVMM as STRICT_READER
from protocol.ring import Ring
from protocol.status import STATUS_SUCCESS, STATUS_UNSUCCESSFUL
from protocol.synic import synic_message
from protocol.vmbus import message_name
from protocol.vpci import MessageType

PAGE_BYTES: Final = 4096
CALL_CODE_MASK: Final = 0xFFFF


class Partition:
    """A host partition around one guest; implements the guest's ``HostPort``.

    Raises ValueError for a configuration that does not fit (unknown profile, knob, latency,
    impossible bus), naming what is wrong.
    """

    def __init__(
        self,
        config: PartitionConfig,
        clock: Clock,
        guest: GuestPort,
        memory: GuestMemory,
        emit: Callable[[object], None],
    ) -> None:
        if config.profile not in PROFILES:
            raise ValueError(
                f"unknown host profile {config.profile!r}; known: {', '.join(PROFILES)}"
            )
        self._profile = PROFILES[config.profile]
        self._knobs = with_knobs(self._profile.knobs, dict(config.knobs))
        self._rules = rules_for("", self._knobs)
        for bus in config.buses:
            check_bus(bus, single_function=not self._knobs.eject_supported)
        self._configs = {bus.name: bus for bus in config.buses}
        vps = config.vps()
        self.hypervisor: Final = Hypervisor(
            vps, pcpus=config.pcpus, placement=PLACEMENTS[config.placement]
        )
        self.server: Final = VmbusServer(vps)
        self._clock = clock
        self._guest = guest
        self._memory = memory
        self._emit = emit
        self._latency_ns = latencies(config.latency_ns)
        self._addresses = AddressMap()
        self._around = Surroundings(
            self._addresses, self.hypervisor, clock, guest, emit, self._latency_ns
        )
        self._buses: dict[str, VpciBus] = {}  # the youngest of each name
        self._by_relid: dict[RelId, VpciBus] = {}
        self._messages: deque[bytes] = deque()
        self._serving = False

    # What the guest asks (HostPort)

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> tuple[int, bytes]:
        """Carry out a hypercall: (HV_STATUS, output)."""
        answer = make_hypercall(self.hypervisor, self, control, data)
        self._emit(HypercallMade(vp, control & CALL_CODE_MASK, answer[0]))
        return answer

    def mmio_read(self, gpa: int, size: int) -> int:
        """Read guest-physical address space; all ones where nobody answers."""
        value = self._addresses.read(gpa, size)
        if value is None:
            self._emit(UnclaimedAccess(Gpa(gpa), size))
            return all_ones(size)
        return value

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        """Write it; nanoseconds the VP was held (BARs being mapped or unmapped)."""
        held_ns = self._addresses.write(gpa, size, value)
        if held_ns is None:
            self._emit(UnclaimedAccess(Gpa(gpa), size))
            return 0
        return held_ns

    def post_message(self, connection_id: ConnectionId, payload: bytes) -> int:
        """Take a control message; it is answered within ``latency_ns["message"]``, in order."""
        if connection_id not in self.server.connection_ids:
            return HV_STATUS_INVALID_CONNECTION_ID
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
            inbound, outbound = self._rings(effect)
        except (LocalProtocolError, RemoteProtocolError) as fault:
            self._emit(RingRefused(bus.config.name, str(fault)))
            self.server.opened(effect.relid, STATUS_UNSUCCESSFUL)
            return
        bus.worker = ChannelWorker(
            relid=effect.relid,
            inbound=inbound,
            outbound=outbound,
            owner=bus,
            clock=self._clock,
            emit=self._emit,
            window_ns=self._latency_ns["reply"],
            label=f"reply {bus.config.name}",
            reply_room_bytes=self._knobs.reply_room_bytes,
        )
        bus.feed(inputs.ChannelOpened())
        self.server.opened(effect.relid, STATUS_SUCCESS)
        self._emit(ChannelOpened(bus.config.name, effect.relid))

    def _rings(self, effect: OpenRing) -> tuple[Ring, Ring]:
        """The guest-to-host and the host-to-guest ring. Model: a strict reader on both profiles."""
        split = effect.downstream_page
        inbound, outbound = effect.pages[:split], effect.pages[split:]
        return Ring(self._window(inbound), STRICT_READER), Ring(self._window(outbound))

    def _window(self, pages: tuple[Gpa, ...]) -> memoryview:
        """Model: the pages of a ring must follow each other, as Linux allocates them."""
        first = pages[0]
        if any(page != first + index * PAGE_BYTES for index, page in enumerate(pages)):
            raise RemoteProtocolError("ring pages are scattered")
        return self._memory.window(first, len(pages) * PAGE_BYTES)

    def close_ring(self, effect: CloseRing) -> None:
        """Effect: the rings are the guest's alone again."""
        bus = self._by_relid[effect.relid]
        bus.drop_worker()
        if bus.state.phase is Phase.GONE:
            return  # the rescind closed it
        bus.feed(inputs.ChannelClosed())
        self._emit(ChannelClosed(bus.config.name, effect.relid))

    def channel_retargeted(self, _effect: ChannelRetargeted) -> None:
        """Effect: nothing to do, the server is asked for the target at each signal."""

    def channel_freed(self, effect: ChannelFreed) -> None:
        """Effect: nobody knows the relid any more."""
        self._by_relid.pop(effect.relid, None)

    # What the buses ask

    def _signal(self, relid: RelId) -> None:
        vp = self.server.event_target(relid)
        if vp is None:
            return
        self._emit(ChannelEvent(relid))
        self._guest.synic_event(vp, relid)

    def _rescind(self, bus: VpciBus) -> None:
        bus.drop_worker()
        self.server.rescind(bus.relid)
        self._emit(Rescinded(bus.config.name, bus.relid))
        self._serve()

    # The administrator

    def offer(self, name: str) -> RelId:
        """Offer a bus for the first time, or again after its rescind.

        Raises LocalProtocolError while it is offered.
        """
        config = self._config(name)
        before = self._buses.get(name)
        if before is not None and before.state.phase is not Phase.GONE:
            raise LocalProtocolError(f"{name} is offered already")
        relid = self.server.offer(Offer(config.instance_id))
        rules = Rules(name, self._knobs, self._rules.versions, self._rules.reply_version)
        bus = VpciBus(
            config,
            Vsp(self._profile, rules),
            self._around,
            relid=relid,
            rescind=self._rescind,
            signal=self._signal,
        )
        self._buses[name] = self._by_relid[relid] = bus
        self._emit(ChannelOffered(name, relid))
        self._serve()
        return relid

    reoffer = offer

    def eject(self, name: str, wslot: int = 0) -> None:
        """Ask the guest to give a function up.

        Raises LocalProtocolError where the host cannot: gone, being ejected, never ejects.
        """
        self.bus(name).feed(inputs.EjectRequested(SlotNumber(wslot)))

    def rescind(self, name: str) -> None:
        """Withdraw the offer at once. Raises LocalProtocolError if it is gone."""
        self.bus(name).feed(inputs.RescindRequested())

    def surprise_remove(self, name: str) -> None:
        """The device is physically gone. Raises LocalProtocolError if the offer is gone."""
        self.bus(name).feed(inputs.SurpriseRemoved())

    def relations(self, name: str, wslots: tuple[int, ...]) -> None:
        """Make the bus hold these slots' functions; a list goes out even if nothing changed.

        Raises ValueError for a slot without a configured function.
        """
        self.bus(name).change_relations(wslots)

    def invalidate_block(self, name: str, wslot: int, mask: int) -> None:
        """Tell the guest that blocks changed; bit i of ``mask`` is block i."""
        self.bus(name).feed(inputs.BlockInvalidated(SlotNumber(wslot), mask))

    def fail_next(self, name: str, message: str, status: int) -> None:
        """Answer the next request of a type with an NTSTATUS (unsigned) and do nothing.

        ``message`` is the wire's name, ``PCI_BUS_D0ENTRY``. Raises ValueError for another.
        """
        if message not in MessageType.__members__:
            known = ", ".join(MessageType.__members__)
            raise ValueError(f"unknown message {message!r}; known: {known}")
        self.bus(name).feed(inputs.FaultArmed(int(MessageType[message]), status))

    def stall(self, name: str, stall_ns: int) -> None:
        """Let the bus's channel rest for so many nanoseconds."""
        worker = self.bus(name).worker
        if worker is not None:
            worker.stall(self._clock.now_ns() + stall_ns)

    def raise_interrupt(self, name: str, wslot: int, index: int) -> None:
        """The device raises one of its vectors; nothing happens if it is gone."""
        function = self.bus(name).functions.get(wslot)
        if function is not None:
            function.raise_interrupt(index)

    def bus(self, name: str) -> VpciBus:
        """The bus as it is now. Raises LocalProtocolError before its first offer."""
        self._config(name)
        bus = self._buses.get(name)
        if bus is None:
            raise LocalProtocolError(f"{name} has not been offered")
        return bus

    def _config(self, name: str) -> BusConfig:
        config = self._configs.get(name)
        if config is None:
            raise ValueError(f"no device {name!r}; there are {', '.join(self._configs)}")
        return config


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
}
