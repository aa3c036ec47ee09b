# SPDX-License-Identifier: MIT
"""What passes over the peer port as the events that laws and reports read.

Knows which frame is which event. Register accesses are told where they are in a configuration
window, whose place a D0 entry says; device memory is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from host.config_window import WINDOW_BYTES
from host.events import ChannelClosed, ChannelOffered, ChannelOpened, Rescinded
from protocol.codec import WireRecord
from protocol.errors import WireFormatError
from protocol.hypercall import HV_HYP_PAGE_SIZE, HV_HYPERCALL_RESULT_MASK, call_code
from protocol.ids import RelId, SlotNumber, TransactionId, Vector, VpIndex
from protocol.link import (
    ConfigRead,
    ConfigWritten,
    Direction,
    HypercallMade,
    InterruptDelivered,
    PacketPublished,
)
from protocol.peer_port import (
    Close,
    Hypercall,
    HypercallDone,
    Interrupt,
    MmioRead,
    MmioValue,
    MmioWrite,
    Offered,
    Opened,
    PacketFrame,
    Rescind,
)
from protocol.vpci import MessageType, PciBusD0Entry, message_type
from sim.trace import Stamped

CONTEXTS: Final[Mapping[Direction, str]] = MappingProxyType(
    {"guest-to-host": "thread/0:peer", "host-to-guest": "host"}
)
Now = Callable[[], int]


class _Window(NamedTuple):
    bus: str
    wslot: SlotNumber


class PortTrace:
    """``events`` is what passed so far. ``now_ns`` stamps it."""

    def __init__(self, now_ns: Now) -> None:
        self.events: list[Stamped] = []
        self._now_ns = now_ns
        self._bus: dict[int, str] = {}
        self._windows: dict[int, _Window] = {}  # by address
        self._asked: dict[int, MmioRead | Hypercall] = {}  # by request

    def passed(self, frame: WireRecord, direction: Direction) -> None:
        """A frame has passed."""
        teller = _TELLERS.get(type(frame))
        event = None if teller is None else teller(self, frame, direction)
        if event is not None:
            at = len(self.events)
            self.events.append(Stamped(at, self._now_ns(), CONTEXTS[direction], event))

    def bus_of(self, channel: int) -> str:
        """The name of the bus behind a channel: buses are counted as they are offered."""
        return self._bus.get(channel, f"channel {channel}")

    def offered(self, frame: Offered, _: Direction) -> msgspec.Struct:
        self._bus.setdefault(frame.channel, f"bus{len(self._bus)}")
        return ChannelOffered(self.bus_of(frame.channel), RelId(frame.channel))

    def rescinded(self, frame: Rescind, _: Direction) -> msgspec.Struct:
        return Rescinded(self.bus_of(frame.channel), RelId(frame.channel))

    def opened(self, frame: Opened, _: Direction) -> msgspec.Struct | None:
        if frame.status:
            return None
        return ChannelOpened(self.bus_of(frame.channel), RelId(frame.channel))

    def closed(self, frame: Close, _: Direction) -> msgspec.Struct:
        return ChannelClosed(self.bus_of(frame.channel), RelId(frame.channel))

    def packet(self, frame: PacketFrame, direction: Direction) -> msgspec.Struct:
        if direction == "guest-to-host":
            self._look_for_window(frame)
        return PacketPublished(
            direction,
            RelId(frame.channel),
            frame.packet_type,
            TransactionId(frame.transaction_id),
            frame.flags,
            frame.payload,
        )

    def _look_for_window(self, frame: PacketFrame) -> None:
        try:
            if message_type(frame.payload) == MessageType.PCI_BUS_D0ENTRY:
                base = PciBusD0Entry.parse(frame.payload).mmio_base
                self._windows[base] = _Window(self.bus_of(frame.channel), SlotNumber(0))
        except WireFormatError:
            return  # too short to be anything

    def _window(self, gpa: int) -> int | None:
        """Where the window begins that the address is in."""
        bases = (base for base in self._windows if 0 <= gpa - base < WINDOW_BYTES)
        return next(bases, None)

    def asked(self, frame: MmioRead | Hypercall, _: Direction) -> None:
        self._asked[frame.request] = frame

    def was_read(self, frame: MmioValue, _: Direction) -> msgspec.Struct | None:
        asked = self._asked.pop(frame.request, None)
        if not isinstance(asked, MmioRead):
            return None
        base = self._window(asked.gpa)
        if base is None or asked.gpa - base < HV_HYP_PAGE_SIZE:
            return None
        offset = asked.gpa - base - HV_HYP_PAGE_SIZE
        return ConfigRead(*self._windows[base], offset, asked.size, frame.value)

    def written(self, frame: MmioWrite, _: Direction) -> msgspec.Struct | None:
        base = self._window(frame.gpa)
        if base is None:
            return None
        offset = frame.gpa - base - HV_HYP_PAGE_SIZE
        if offset < 0:
            self._windows[base] = self._windows[base]._replace(wslot=SlotNumber(frame.value))
            return None
        return ConfigWritten(*self._windows[base], offset, frame.size, frame.value)

    def called(self, frame: HypercallDone, _: Direction) -> msgspec.Struct | None:
        asked = self._asked.pop(frame.request, None)
        if not isinstance(asked, Hypercall):
            return None
        status = frame.result & HV_HYPERCALL_RESULT_MASK
        return HypercallMade(VpIndex(asked.vp), call_code(asked.control), status, asked.data)

    def interrupted(self, frame: Interrupt, _: Direction) -> msgspec.Struct:
        return InterruptDelivered(VpIndex(frame.vp), Vector(frame.vector))


_TELLERS: Final[
    Mapping[type[WireRecord], Callable[[PortTrace, Any, Direction], msgspec.Struct | None]]
] = MappingProxyType(
    {
        Offered: PortTrace.offered,
        Rescind: PortTrace.rescinded,
        Opened: PortTrace.opened,
        Close: PortTrace.closed,
        PacketFrame: PortTrace.packet,
        MmioRead: PortTrace.asked,
        MmioValue: PortTrace.was_read,
        MmioWrite: PortTrace.written,
        Hypercall: PortTrace.asked,
        HypercallDone: PortTrace.called,
        Interrupt: PortTrace.interrupted,
    }
)
