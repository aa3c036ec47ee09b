# SPDX-License-Identifier: MIT
"""SynIC messages, the inputs of post-message and signal-event, and the monitor page.

As Linux declares them (``include/asm-generic/hyperv-tlfs.h``). Knows what a message slot holds, not
what a VMBus message says.
"""

import struct
from typing import Annotated

from construct import Array, Int8ul, Int16ul, Int32sl, Int32ul, Int64ul

from protocol.codec import Buffer, WireRecord
from protocol.errors import LocalProtocolError, WireFormatError
from protocol.fields import U8, U16, U32
from protocol.shapes import At, Bits, Inlined, Octets, Viewed

HV_MESSAGE_SIZE = 256
HV_MESSAGE_PAYLOAD_BYTE_COUNT = 240
HV_SYNIC_SINT_COUNT = 16
VMBUS_MESSAGE_TYPE = 1  # the only message_type VMBus uses; 0 marks an empty slot

Payload = Annotated[bytes, Octets(30, unit=Int64ul)]
POSTED_PAYLOAD_AT = 16  # bytes of hv_input_post_message before its payload
NO_PAYLOAD = bytes(HV_MESSAGE_PAYLOAD_BYTE_COUNT)


class HvConnectionId(WireRecord, frozen=True):
    """``union hv_connection_id``: 24 bits of id."""

    asu32: Annotated[int, Viewed(Int32ul, Bits("u.id", 0, 24), Bits("u.reserved", 24, 8))] = 0


class HvPortId(WireRecord, frozen=True):
    """``union hv_port_id``: 24 bits of id."""

    asu32: Annotated[int, Viewed(Int32ul, Bits("u.id", 0, 24), Bits("u.reserved", 24, 8))] = 0


class HvMessageFlags(WireRecord, frozen=True):
    """``union hv_message_flags``: bit 0 says that more messages wait for the slot."""

    asu8: Annotated[int, Viewed(Int8ul, Bits("msg_pending", 0, 1), Bits("reserved", 1, 7))] = 0


class HvMessageHeader(WireRecord, frozen=True):
    """``struct hv_message_header``: type, payload size in bytes, flags, sender."""

    message_type: U32 = 0
    payload_size: U8 = 0
    message_flags: Annotated[int, Inlined(HvMessageFlags)] = 0
    reserved: Annotated[bytes, Octets(2)] = b"\0\0"
    sender: Annotated[int, Viewed(Int64ul, At("port", 0, HvPortId))] = 0


class HvMessage(WireRecord, frozen=True):
    """``struct hv_message``: a whole message slot; ``payload_size`` bytes of the payload count."""

    header: HvMessageHeader = HvMessageHeader()
    payload: Annotated[bytes, Viewed(Payload.__metadata__[0], path="u.payload")] = NO_PAYLOAD


class HvMessagePage(WireRecord, frozen=True):
    """``struct hv_message_page``: one slot for each of a VP's 16 interrupt sources."""

    sint_message: Annotated[
        tuple[HvMessage, ...], Array(HV_SYNIC_SINT_COUNT, HvMessage.CONSTRUCT)
    ] = (HvMessage(),) * HV_SYNIC_SINT_COUNT


class HvInputPostMessage(WireRecord, frozen=True):
    """``struct hv_input_post_message``: input of HVCALL_POST_MESSAGE."""

    connectionid: Annotated[int, Inlined(HvConnectionId)] = 0
    reserved: U32 = 0
    message_type: U32 = VMBUS_MESSAGE_TYPE
    payload_size: U32 = 0
    payload: Payload = NO_PAYLOAD


class HvInputSignalEvent(WireRecord, frozen=True):
    """``hv_input_signal_event``: a flag of an event port (TLFS, HvCallSignalEvent).

    Linux 6.12 has no structure for it and makes a fast call with the connection id in the first
    register (``vmbus_set_event``). The layout is that of :class:`HvMonitorParameter`.
    """

    connectionid: Annotated[int, Inlined(HvConnectionId)] = 0
    flag_number: U16 = 0
    rsvdz: U16 = 0


class HvMonitorTriggerGroup(WireRecord, frozen=True):
    """``union hv_monitor_trigger_group``: 32 triggers."""

    pending: Annotated[int, Viewed(Int32ul, At("as_uint64", 0, Int64ul))] = 0
    armed: U32 = 0


class HvMonitorParameter(WireRecord, frozen=True):
    """``struct hv_monitor_parameter``: what a trigger signals."""

    connectionid: Annotated[int, Inlined(HvConnectionId)] = 0
    flagnumber: U16 = 0
    rsvdz: U16 = 0


class HvMonitorTriggerState(WireRecord, frozen=True):
    """``union hv_monitor_trigger_state``."""

    asu32: Annotated[int, Viewed(Int32ul, Bits("group_enable", 0, 4), Bits("rsvdz", 4, 28))] = 0


class HvMonitorPage(WireRecord, frozen=True):
    """``struct hv_monitor_page``: 4 groups of 32 triggers; ``latency`` in units of 100 ns.

    The two-dimensional arrays are flat in the record, group by group.
    """

    trigger_state: Annotated[int, Inlined(HvMonitorTriggerState)] = 0
    rsvdz1: U32 = 0
    trigger_group: Annotated[
        tuple[HvMonitorTriggerGroup, ...], Array(4, HvMonitorTriggerGroup.CONSTRUCT)
    ] = (HvMonitorTriggerGroup(),) * 4
    rsvdz2: Annotated[tuple[int, ...], Array(3, Int64ul)] = (0,) * 3
    next_checktime: Annotated[tuple[int, ...], Viewed(Array(128, Int32sl), dims=(4, 32))] = (
        0,
    ) * 128
    latency: Annotated[tuple[int, ...], Viewed(Array(128, Int16ul), dims=(4, 32))] = (0,) * 128
    rsvdz3: Annotated[tuple[int, ...], Array(32, Int64ul)] = (0,) * 32
    parameter: Annotated[
        tuple[HvMonitorParameter, ...],
        Viewed(
            Array(128, HvMonitorParameter.CONSTRUCT),
            At("parameter", 0, Array(4, Array(32, HvMonitorParameter.CONSTRUCT))),
        ),
    ] = (HvMonitorParameter(),) * 128
    rsvdz4: Annotated[bytes, Octets(1984)] = bytes(1984)


_POST = struct.Struct("<IIII240s")
_POST_HEAD = struct.Struct("<IIII")
_SIGNAL = struct.Struct("<IHH")
_SLOT = struct.Struct("<IBBHQ240s")


def post_message_input(connection_id: int, payload: bytes) -> bytes:
    """The 256 bytes of HVCALL_POST_MESSAGE's input for one VMBus control message.

    Raises LocalProtocolError for a payload of more than 240 bytes.
    """
    return _POST.pack(connection_id, 0, VMBUS_MESSAGE_TYPE, _fitting(payload), payload)


def synic_message(payload: bytes, sender: int = 0) -> bytes:
    """The 256 bytes of a message slot that holds one VMBus control message.

    Raises LocalProtocolError for a payload of more than 240 bytes.
    """
    return _SLOT.pack(VMBUS_MESSAGE_TYPE, _fitting(payload), 0, 0, sender, payload)


def posted_fields(data: Buffer) -> tuple[int, int, int]:
    """(connection id, message type, payload size) of a whole HVCALL_POST_MESSAGE input.

    What :class:`HvInputPostMessage` would say, without its payload, which begins at
    ``POSTED_PAYLOAD_AT``. Raises WireFormatError when the input is cut off.
    """
    if len(data) < HvInputPostMessage.SIZE:
        HvInputPostMessage.parse(data)  # raises, and says where the bytes end
    connection_id, _, kind, size = _POST_HEAD.unpack_from(data)
    return connection_id, kind, size


def signalled_fields(data: Buffer) -> tuple[int, int, int]:
    """(connection id, flag number, reserved) of HVCALL_SIGNAL_EVENT's input.

    What :class:`HvInputSignalEvent` would say. Raises WireFormatError when the input is cut off.
    """
    if len(data) < _SIGNAL.size:
        HvInputSignalEvent.parse(data)  # raises, and says where the bytes end
    connection_id, flag, reserved = _SIGNAL.unpack_from(data)
    return connection_id, flag, reserved


def message_payload(data: Buffer) -> tuple[int, bytes]:
    """(message type, payload) of a message slot, or of its used part alone.

    Raises WireFormatError when the slot is cut off or its size field is out of range.
    """
    if len(data) < 16:
        HvMessage.parse(data)  # raises, and says where the bytes end
    kind, size = struct.unpack_from("<IB", data)
    if size > HV_MESSAGE_PAYLOAD_BYTE_COUNT or 16 + size > len(data):
        raise WireFormatError("hv_message", "payload_size", 4, f"{size} bytes are not there")
    return kind, bytes(data[16 : 16 + size])


def _fitting(payload: bytes) -> int:
    if len(payload) > HV_MESSAGE_PAYLOAD_BYTE_COUNT:
        reason = f"{len(payload)} bytes; a message holds {HV_MESSAGE_PAYLOAD_BYTE_COUNT}"
        raise LocalProtocolError(reason)
    return len(payload)
