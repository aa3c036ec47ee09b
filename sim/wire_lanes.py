# SPDX-License-Identifier: MIT
"""Which bus something on the wire belongs to: by relid, GPADL, connection id or device id.

Learns the numbers from the host's offers as they go by. What belongs to no bus is the connection's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from host.events import ChannelMoved, ChannelOffered
from protocol.errors import WireFormatError
from protocol.hypercall import (
    HVCALL_RETARGET_INTERRUPT,
    HVCALL_SIGNAL_EVENT,
    HvRetargetDeviceInterrupt,
)
from protocol.ids import logical_device_id
from protocol.link import (
    BarRead,
    BarWritten,
    ConfigRead,
    ConfigWritten,
    HypercallMade,
    MessagePosted,
    PacketPublished,
)
from protocol.synic import HvInputSignalEvent
from protocol.vmbus import VmbusChannelGpadlHeader, VmbusChannelOfferChannel, parse_message

CONNECTION: Final = "connection"
_FUNCTION: Final = 0x7  # of a device id: which function of its bus


class LaneReader:
    """Reads the events of a trace in their order."""

    def __init__(self) -> None:
        self._bus: dict[int, str] = {}  # by relid
        self._relid_of_gpadl: dict[int, int] = {}
        self._relid_of_connection: dict[int, int] = {}
        self._relid_of_device: dict[int, int] = {}

    def read(self, event: msgspec.Struct) -> str:
        """The lane of an event; for one that did not cross the answer means nothing."""
        reader = _READERS.get(type(event))
        return CONNECTION if reader is None else reader(self, event)

    def _of(self, relid: int | None) -> str:
        return CONNECTION if relid is None else self._bus.get(relid, CONNECTION)

    def offered(self, event: ChannelOffered | ChannelMoved) -> str:
        self._bus[event.relid] = event.bus
        return event.bus

    def packet(self, event: PacketPublished) -> str:
        return self._of(event.relid)

    def message(self, event: MessagePosted) -> str:
        try:
            message: Any = parse_message(event.payload)
        except WireFormatError:
            return CONNECTION
        if isinstance(message, VmbusChannelOfferChannel):
            self._relid_of_connection[message.connection_id] = message.child_relid
            device = logical_device_id(message.offer.if_instance)
            self._relid_of_device[device] = message.child_relid
        if isinstance(message, VmbusChannelGpadlHeader):
            self._relid_of_gpadl[message.gpadl] = message.child_relid
        relid = getattr(message, "child_relid", None)
        if relid is None:
            relid = self._relid_of_gpadl.get(getattr(message, "gpadl", 0))
        return self._of(relid)

    def call(self, event: HypercallMade) -> str:
        if event.code == HVCALL_SIGNAL_EVENT:
            connection = HvInputSignalEvent.parse(event.input).connectionid
            return self._of(self._relid_of_connection.get(connection))
        if event.code == HVCALL_RETARGET_INTERRUPT:
            device = HvRetargetDeviceInterrupt.parse(event.input).device_id
            return self._of(self._relid_of_device.get(device & ~_FUNCTION))
        return CONNECTION

    def access(self, event: ConfigRead | ConfigWritten | BarRead | BarWritten) -> str:
        return event.bus


_READERS: Final[Mapping[type, Callable[[LaneReader, Any], str]]] = MappingProxyType(
    {
        ChannelOffered: LaneReader.offered,
        ChannelMoved: LaneReader.offered,
        PacketPublished: LaneReader.packet,
        MessagePosted: LaneReader.message,
        HypercallMade: LaneReader.call,
        **dict.fromkeys((ConfigRead, ConfigWritten, BarRead, BarWritten), LaneReader.access),
    }
)
