# SPDX-License-Identifier: MIT
"""How each effect of the VSP is carried out for a bus: one function an effect, and their table.

A function that was taken away early (a knob) is passed over, as its registers are. Model: nothing
here takes time but what the clock is asked for.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from host.assigned import AssignedFunction, Surroundings
from host.channel_worker import ChannelWorker
from host.clock import Cancel
from host.config_window import WINDOW_BYTES, ConfigWindow
from host.effects import (
    ArmTimer,
    CancelTimer,
    Complete,
    CreateInterrupts,
    DeleteInterrupt,
    Effect,
    InterruptEntry,
    InterruptRequest,
    KeepRequest,
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
from host.events import ConfigWindowOverFramebuffer, ConfigWindowRefused, InterruptRefused
from host.hypervisor import BadReference, Hypervisor
from host.vsp.inputs import (
    BlockFetched,
    BlockStored,
    Input,
    InterruptsCreated,
    ResourcesRead,
    TimerExpired,
)
from protocol.ids import Gpa, SlotNumber, TransactionId
from protocol.status import STATUS_BAD_DATA, STATUS_SUCCESS, unsigned

BAD_DATA: Final = unsigned(STATUS_BAD_DATA)


class Bus(Protocol):
    """What carrying needs of a bus: its name, its parts, and where results go."""

    name: str
    around: Surroundings
    functions: dict[int, AssignedFunction]
    window: ConfigWindow
    worker: ChannelWorker | None
    timers: dict[tuple[str, int], Cancel]
    kept: dict[int, TransactionId]

    def feed(self, input_: Input) -> None:
        """Take a result."""

    def rescind(self) -> None:
        """Withdraw the offer."""


# The channel


def send_packet(bus: Bus, effect: SendPacket) -> None:
    """Write an in-band packet, or queue it for room."""
    if bus.worker is not None:
        bus.worker.send(effect.payload)


def complete(bus: Bus, effect: Complete) -> None:
    """Write a completion, or queue it."""
    if bus.worker is not None:
        bus.worker.complete(effect.transaction_id, effect.payload)


def request_turn(bus: Bus, effect: RequestTurn) -> None:
    """Stand in line for a notice."""
    if bus.worker is not None:
        bus.worker.request_turn(effect.wslot)


def stop_worker(bus: Bus, _effect: StopWorker) -> None:
    """Read the ring no more."""
    if bus.worker is not None:
        bus.worker.stop()


def rescind_channel(bus: Bus, _effect: RescindChannel) -> None:
    """Withdraw the offer."""
    bus.rescind()


def keep_request(bus: Bus, effect: KeepRequest) -> None:
    """Note whom to answer late; the last of its type counts."""
    bus.kept[effect.message_type] = effect.transaction_id


def report(bus: Bus, effect: Report) -> None:
    """Tell observers."""
    bus.around.emit(effect.event)


# The window


def map_window(bus: Bus, effect: MapConfigWindow) -> None:
    """Route the two pages; an address somebody has is refused. D0 entry succeeds all the same."""
    bus.window.unmap(bus.around.windows)
    if not bus.window.map(bus.around.windows, effect.gpa):
        bus.around.emit(ConfigWindowRefused(bus.name, effect.gpa))
    framebuffer = bus.around.framebuffer
    if framebuffer is not None and _overlap(effect.gpa, framebuffer):
        bus.around.emit(ConfigWindowOverFramebuffer(bus.name, effect.gpa))


def _overlap(window_gpa: Gpa, framebuffer: tuple[int, int]) -> bool:
    """Whether a configuration window that begins there reaches into the framebuffer."""
    start, end = framebuffer
    return window_gpa <= end and start < window_gpa + WINDOW_BYTES


def unmap_window(bus: Bus, _effect: UnmapConfigWindow) -> None:
    """Give the two pages up."""
    bus.window.unmap(bus.around.windows)


# Interrupts


def create_interrupts(bus: Bus, effect: CreateInterrupts) -> None:
    """Make the entries in order; the first that fails ends it."""
    assigned = bus.functions.get(effect.wslot)
    if assigned is None:
        bus.feed(InterruptsCreated(effect.wslot, effect.ticket, BAD_DATA, ()))
        return
    made: list[InterruptEntry] = []
    status = STATUS_SUCCESS
    for request in effect.requests:
        if request.vector_count == 0:  # counted in the reply, but nothing is mapped
            continue
        try:
            made.append(_create(bus.around.hypervisor, assigned.device_id, request))
        except BadReference as refused:
            bus.around.emit(InterruptRefused(bus.name, effect.wslot, refused.status))
            status = BAD_DATA
            break
    bus.feed(InterruptsCreated(effect.wslot, effect.ticket, status, tuple(made)))


def _create(hypervisor: Hypervisor, device_id: int, request: InterruptRequest) -> InterruptEntry:
    targets = hypervisor.vps if request.targets is None else request.targets
    count = request.vector_count
    address, data = hypervisor.create(
        device_id, request.vector, count, targets, request.delivery_mode
    )
    return InterruptEntry(address, data, count)


def delete_interrupt(bus: Bus, effect: DeleteInterrupt) -> None:
    """Forget an entry."""
    assigned = bus.functions.get(effect.wslot)
    if assigned is not None:
        bus.around.hypervisor.delete(assigned.device_id, effect.address, effect.data)


# Registers and blocks


def set_bars(bus: Bus, effect: SetBars) -> None:
    """Write the six base registers."""
    assigned = bus.functions.get(effect.wslot)
    if assigned is not None:
        assigned.set_bars(effect.bars)


def set_memory_decoding(bus: Bus, effect: SetMemoryDecoding) -> None:
    """Write the Command register's memory bit; the VP is not held for what the host does."""
    assigned = bus.functions.get(effect.wslot)
    if assigned is not None:
        assigned.set_memory_decoding(enabled=effect.enabled)


def read_resources(bus: Bus, effect: ReadResources) -> None:
    """Read the six base registers back."""
    assigned = bus.functions.get(effect.wslot)
    if assigned is not None:
        bus.feed(ResourcesRead(effect.wslot, effect.ticket, assigned.bars()))


def read_block(bus: Bus, effect: ReadBlock) -> None:
    """Answer at once, cut to what the guest asked for."""
    assigned = bus.functions.get(effect.wslot)
    block = None if assigned is None else assigned.function.read_block(effect.block_id)
    status = BAD_DATA if block is None else STATUS_SUCCESS
    data = b"" if block is None else block[: effect.size_bytes]
    bus.feed(BlockFetched(effect.wslot, effect.block_id, effect.ticket, status, data))


def write_block(bus: Bus, effect: WriteBlock) -> None:
    """Store at once."""
    assigned = bus.functions.get(effect.wslot)
    stored = assigned is not None and assigned.function.write_block(effect.block_id, effect.data)
    status = STATUS_SUCCESS if stored else BAD_DATA
    bus.feed(BlockStored(effect.wslot, effect.block_id, effect.ticket, status))


# Timers and removal


def arm_timer(bus: Bus, effect: ArmTimer) -> None:
    """Feed the expiry when its time has come."""
    if effect.delay_ns is None:
        window_ns = bus.around.latency_ns[effect.name]
    else:
        window_ns = (effect.delay_ns, effect.delay_ns)
    action = partial(_expire, bus, effect.name, effect.wslot)
    cancel = bus.around.clock.later(window_ns, f"{effect.name} timer {bus.name}", action)
    bus.timers[effect.name, effect.wslot] = cancel


def _expire(bus: Bus, name: str, wslot: SlotNumber) -> None:
    del bus.timers[name, wslot]
    bus.feed(TimerExpired(name, wslot))


def cancel_timer(bus: Bus, effect: CancelTimer) -> None:
    """Take it back; one that has just run is gone already."""
    cancel = bus.timers.pop((effect.name, effect.wslot), None)
    if cancel is not None:
        cancel()


def release_function(bus: Bus, effect: ReleaseFunction) -> None:
    """Take the function from the guest."""
    assigned = bus.functions.pop(effect.wslot, None)
    if assigned is not None:
        assigned.release()


CARRY: Final[dict[type[Effect], Callable[[Any, Any], None]]] = {
    SendPacket: send_packet,
    Complete: complete,
    MapConfigWindow: map_window,
    UnmapConfigWindow: unmap_window,
    CreateInterrupts: create_interrupts,
    DeleteInterrupt: delete_interrupt,
    SetBars: set_bars,
    SetMemoryDecoding: set_memory_decoding,
    ReadResources: read_resources,
    ReadBlock: read_block,
    WriteBlock: write_block,
    RequestTurn: request_turn,
    ArmTimer: arm_timer,
    CancelTimer: cancel_timer,
    ReleaseFunction: release_function,
    RescindChannel: rescind_channel,
    StopWorker: stop_worker,
    KeepRequest: keep_request,
    Report: report,
}
