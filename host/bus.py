# SPDX-License-Identifier: MIT
"""One offered vPCI bus: owns its VSP state and its live functions, and carries effects out.

The only writer of both. Knows no VMBus message and no hypercall; its channel's rings are the
worker's.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from host.address_map import PAGE_SHIFT
from host.assigned import AssignedFunction, Surroundings
from host.channel_worker import ChannelWorker
from host.clock import Cancel
from host.config_window import ConfigWindow
from host.effects import (
    ArmTimer,
    CancelTimer,
    Complete,
    CreateInterrupts,
    DeleteInterrupt,
    Effect,
    InterruptEntry,
    InterruptRequest,
    MapConfigWindow,
    ReadBlock,
    ReadResources,
    ReleaseFunction,
    Report,
    RequestTurn,
    RescindChannel,
    SendPacket,
    SetBars,
    SetMemoryDecoding,
    StopWorker,
    UnmapConfigWindow,
    WriteBlock,
)
from host.events import ConfigWindowRefused
from host.function import Function
from host.hypervisor import BadReference, logical_device_id
from host.settings import BusConfig, FunctionConfig
from host.vsp import FunctionFacts, Vsp, VspState, initial_state
from host.vsp.inputs import (
    BlockFetched,
    BlockStored,
    Input,
    InterruptsCreated,
    InvalidationDue,
    PacketReceived,
    RelationsChanged,
    ResourcesRead,
    RingBroken,
    TimerExpired,
)
from protocol.ids import RelId, SlotNumber, wslot_to_devfn
from protocol.status import STATUS_BAD_DATA, STATUS_SUCCESS, unsigned

FUNCTION_BITS: Final = 7  # the PCI function number within a devfn
BAD_DATA: Final = unsigned(STATUS_BAD_DATA)


class VpciBus:
    """A bus from its offer to its rescind; a re-offer is another one.

    ``rescind`` and ``signal`` are the partition's: withdraw the offer, set the event flag.
    """

    __slots__ = (
        "_around",
        "_functions",
        "_inbox",
        "_rescind",
        "_signal",
        "_stepping",
        "_timers",
        "_vsp",
        "_window",
        "config",
        "relid",
        "state",
        "worker",
    )

    def __init__(
        self,
        config: BusConfig,
        vsp: Vsp,
        around: Surroundings,
        *,
        relid: RelId,
        rescind: Callable[["VpciBus"], None],
        signal: Callable[[RelId], None],
    ) -> None:
        self.config = config
        self.relid = relid
        self.worker: ChannelWorker | None = None
        self._around = around
        self._vsp = vsp
        self._rescind = rescind
        self._signal = signal
        self._timers: dict[tuple[str, int], Cancel] = {}
        self._inbox: deque[Input] = deque()
        self._stepping = False
        self._functions: dict[int, AssignedFunction] = {}
        present = [function for function in config.functions if function.present]
        self.state: VspState = initial_state(tuple(self._add(f) for f in present))
        self._window = ConfigWindow(config.name, self._functions, vsp.rules.knobs, around.emit)

    # Functions

    @property
    def functions(self) -> dict[int, AssignedFunction]:
        """The live functions by slot; not to be written."""
        return self._functions

    def change_relations(self, wslots: tuple[int, ...]) -> None:
        """Make the bus hold these slots' functions, as configured. Raises ValueError for others."""
        configured = {function.wslot: function for function in self.config.functions}
        unknown = [slot for slot in wslots if slot not in configured]
        if unknown:
            raise ValueError(f"{self.config.name} has no function for slot {unknown[0]:#x}")
        current = {function.facts.wslot: function.facts for function in self.state.functions}
        facts = []
        for slot in sorted(set(wslots)):
            known = current.get(SlotNumber(slot))
            facts.append(known or self._add(configured[SlotNumber(slot)]))
        self.feed(RelationsChanged(tuple(facts)))

    def _add(self, config: FunctionConfig) -> FunctionFacts:
        """Bring a configured function to life and say who it is."""
        function = Function(config.profile)
        if self._has_siblings(config):
            function.mark_multifunction()
        number = wslot_to_devfn(config.wslot) & FUNCTION_BITS
        self._functions[config.wslot] = AssignedFunction(
            self._around,
            function,
            bus=self.config.name,
            wslot=config.wslot,
            device_id=logical_device_id(self.config.instance_id, number),
        )
        return facts_of(self.config, config, function)

    def _has_siblings(self, config: FunctionConfig) -> bool:
        devfn = wslot_to_devfn(config.wslot)
        others = (wslot_to_devfn(f.wslot) for f in self.config.functions if f is not config)
        return not devfn & FUNCTION_BITS and any(other >> 3 == devfn >> 3 for other in others)

    # Inputs

    def feed(self, input_: Input) -> None:
        """Step the VSP and carry out what it asks, results included.

        Raises LocalProtocolError if the tables do not allow the input; nothing has changed then.
        """
        self._inbox.append(input_)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._inbox:
                self.state, effects = self._vsp.step(self.state, self._inbox.popleft())
                for effect in effects:
                    _CARRY[type(effect)](self, effect)
        finally:
            self._inbox.clear()
            self._stepping = False

    def packet(self, packet: PacketReceived) -> None:
        """The worker read a packet."""
        self.feed(packet)

    def invalidation_due(self, wslot: SlotNumber) -> None:
        """The worker has room for a notice."""
        self.feed(InvalidationDue(wslot))

    def ring_broken(self, reason: str) -> None:
        """The worker cannot follow the ring."""
        self.feed(RingBroken(reason))

    def signal(self) -> None:
        """The worker wrote into an empty ring, or made room in a full one."""
        self._signal(self.relid)

    def drop_worker(self) -> None:
        """The rings are not ours any more."""
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    # Effects, by class (see ``_CARRY``)

    def send_packet(self, effect: SendPacket) -> None:
        if self.worker is not None:
            self.worker.send(effect.payload)

    def complete(self, effect: Complete) -> None:
        if self.worker is not None:
            self.worker.complete(effect.transaction_id, effect.payload)

    def request_turn(self, effect: RequestTurn) -> None:
        if self.worker is not None:
            self.worker.request_turn(effect.wslot)

    def stop_worker(self, _effect: StopWorker) -> None:
        if self.worker is not None:
            self.worker.stop()

    def map_window(self, effect: MapConfigWindow) -> None:
        """Route the two pages. Model: an unaligned base counts as its page's."""
        self.unmap_window(UnmapConfigWindow())
        window, addresses = self._window, self._around.addresses
        page = effect.gpa >> PAGE_SHIFT
        if not addresses.claim_page(page, window.read_slot, window.write_slot):
            self._around.emit(ConfigWindowRefused(self.config.name, effect.gpa))
            return
        if not addresses.claim_page(page + 1, window.read_config, window.write_config):
            addresses.release_page(page)
            self._around.emit(ConfigWindowRefused(self.config.name, effect.gpa))
            return
        window.page = page

    def unmap_window(self, _effect: UnmapConfigWindow) -> None:
        window = self._window
        if window.page is not None:
            self._around.addresses.release_page(window.page)
            self._around.addresses.release_page(window.page + 1)
            window.page = None

    def create_interrupts(self, effect: CreateInterrupts) -> None:
        """Make the entries in order; the first that fails ends it."""
        device_id = self._functions[effect.wslot].device_id
        made = []
        status = STATUS_SUCCESS
        for request in effect.requests:
            if request.vector_count == 0:  # counted in the reply, but nothing is mapped
                continue
            try:
                address, data = self._create(device_id, request)
            except BadReference:
                status = BAD_DATA
                break
            made.append(InterruptEntry(address, data, request.vector_count))
        self.feed(InterruptsCreated(effect.wslot, effect.ticket, status, tuple(made)))

    def _create(self, device_id: int, request: InterruptRequest) -> tuple[int, int]:
        hypervisor = self._around.hypervisor
        targets = hypervisor.vps if request.targets is None else request.targets
        return hypervisor.create(
            device_id, request.vector, request.vector_count, targets, request.delivery_mode
        )

    def delete_interrupt(self, effect: DeleteInterrupt) -> None:
        assigned = self._functions.get(effect.wslot)
        if assigned is not None:
            self._around.hypervisor.delete(assigned.device_id, effect.address, effect.data)

    def set_bars(self, effect: SetBars) -> None:
        assigned = self._functions.get(effect.wslot)
        if assigned is not None:
            assigned.set_bars(effect.bars)

    def set_memory_decoding(self, effect: SetMemoryDecoding) -> None:
        assigned = self._functions.get(effect.wslot)
        if assigned is not None:
            assigned.set_memory_decoding(enabled=effect.enabled)

    def read_resources(self, effect: ReadResources) -> None:
        bars = self._functions[effect.wslot].bars()
        self.feed(ResourcesRead(effect.wslot, effect.ticket, bars))

    def read_block(self, effect: ReadBlock) -> None:
        """Model: a block is answered at once, and cut to what the guest asked for."""
        block = self._functions[effect.wslot].function.read_block(effect.block_id)
        status = BAD_DATA if block is None else STATUS_SUCCESS
        data = b"" if block is None else block[: effect.size_bytes]
        self.feed(BlockFetched(effect.wslot, effect.block_id, effect.ticket, status, data))

    def write_block(self, effect: WriteBlock) -> None:
        stored = self._functions[effect.wslot].function.write_block(effect.block_id, effect.data)
        status = STATUS_SUCCESS if stored else BAD_DATA
        self.feed(BlockStored(effect.wslot, effect.block_id, effect.ticket, status))

    def arm_timer(self, effect: ArmTimer) -> None:
        key = (effect.name, effect.wslot)
        if effect.delay_ns is None:
            window_ns = self._around.latency_ns[effect.name]
        else:
            window_ns = (effect.delay_ns, effect.delay_ns)
        label = f"{effect.name} timer {self.config.name}"
        self._timers[key] = self._around.clock.later(window_ns, label, partial(self._expire, *key))

    def _expire(self, name: str, wslot: SlotNumber) -> None:
        del self._timers[name, wslot]
        self.feed(TimerExpired(name, wslot))

    def cancel_timer(self, effect: CancelTimer) -> None:
        cancel = self._timers.pop((effect.name, effect.wslot), None)
        if cancel is not None:
            cancel()

    def release_function(self, effect: ReleaseFunction) -> None:
        assigned = self._functions.pop(effect.wslot, None)
        if assigned is not None:  # a knob may have taken it away at EJECT already
            assigned.release()

    def rescind_channel(self, _effect: RescindChannel) -> None:
        self._rescind(self)

    def report(self, effect: Report) -> None:
        self._around.emit(effect.event)


def facts_of(bus: BusConfig, config: FunctionConfig, function: Function) -> FunctionFacts:
    """Who a function is, for relations and requirements."""
    serial = bus.instance_id.time_low if config.serial is None else config.serial
    return FunctionFacts(
        config.wslot,
        *config.profile.identity,
        ser=serial,
        probed_bars=function.probed_bars(),
        numa_node=config.numa_node,
    )


_CARRY: Final[dict[type[Effect], Callable[[VpciBus, Any], None]]] = {
    SendPacket: VpciBus.send_packet,
    Complete: VpciBus.complete,
    MapConfigWindow: VpciBus.map_window,
    UnmapConfigWindow: VpciBus.unmap_window,
    CreateInterrupts: VpciBus.create_interrupts,
    DeleteInterrupt: VpciBus.delete_interrupt,
    SetBars: VpciBus.set_bars,
    SetMemoryDecoding: VpciBus.set_memory_decoding,
    ReadResources: VpciBus.read_resources,
    ReadBlock: VpciBus.read_block,
    WriteBlock: VpciBus.write_block,
    RequestTurn: VpciBus.request_turn,
    ArmTimer: VpciBus.arm_timer,
    CancelTimer: VpciBus.cancel_timer,
    ReleaseFunction: VpciBus.release_function,
    RescindChannel: VpciBus.rescind_channel,
    StopWorker: VpciBus.stop_worker,
    Report: VpciBus.report,
}
