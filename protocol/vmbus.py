# SPDX-License-Identifier: MIT
"""VMBus control messages as Linux declares them (``include/linux/hyperv.h``).

The header every message begins with is flattened: ``header.msgtype`` -> ``msgtype``,
``header.padding`` -> ``padding``; ``msgtype`` defaults to the type the structure is made for. Bit
fields that share a word are one record field with the first one's name, reserved bits included.
Knows no version, no channel state and no role. Packets of a channel: ``vmbus_packets``.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated
from uuid import UUID

from construct import Int8ul, Int16ul, Int32ul, Int64ul

from protocol.codec import Buffer, WireRecord
from protocol.errors import WireFormatError
from protocol.fields import U8, U16, U32, U64
from protocol.shapes import At, Bits, Greedy, Guid, Octets, Viewed

# Packet types and flag of a ring descriptor (enum vmbus_packet_type).
VM_PKT_INVALID = 0
VM_PKT_SYNCH = 1
VM_PKT_ADD_XFER_PAGESET = 2
VM_PKT_RM_XFER_PAGESET = 3
VM_PKT_ESTABLISH_GPADL = 4
VM_PKT_TEARDOWN_GPADL = 5
VM_PKT_DATA_INBAND = 6
VM_PKT_DATA_USING_XFER_PAGES = 7
VM_PKT_DATA_USING_GPADL = 8
VM_PKT_DATA_USING_GPA_DIRECT = 9
VM_PKT_CANCEL_REQUEST = 10
VM_PKT_COMP = 11
VM_PKT_DATA_USING_ADDITIONAL_PKT = 12
VM_PKT_ADDITIONAL_DATA = 13
VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED = 1

VPCI_INTERFACE_TYPE = UUID("44c4f61d-4444-4400-9d52-802e27ede19f")  # HV_PCIE_GUID

VMBUS_MESSAGE_CONNECTION_ID = 1  # before 5.0
VMBUS_MESSAGE_CONNECTION_ID_4 = 4  # 5.0 and later
VMBUS_MESSAGE_CONNECTION_ID_REDIRECT = 0x800074  # VTL2 guests
VMBUS_EVENT_CONNECTION_ID = 2
VMBUS_MESSAGE_SINT = 2  # SynIC interrupt source of messages and event flags

MAX_SIZE_CHANNEL_MESSAGE = 240  # bytes: what a SynIC message slot holds
MAX_USER_DEFINED_BYTES = 120
MAX_NUM_CHANNELS = 16384  # relids: the bits of one interrupt page half
HV_EVENT_FLAGS_COUNT = 2048
INVALID_RELID = 0xFFFF_FFFF
GPADL_HEADER_PFNS_MAX = 26  # create_gpadl_header(): what 240 bytes leave room for
GPADL_BODY_PFNS_MAX = 28
FIRST_GPADL_HANDLE = 0xE1E10  # vmbus_connection.next_gpadl_handle


class ChannelMessageType(IntEnum):
    """``enum vmbus_channel_message_type``; 18-20 and 25-26 bear OpenVMM's names."""

    CHANNELMSG_INVALID = 0
    CHANNELMSG_OFFERCHANNEL = 1
    CHANNELMSG_RESCIND_CHANNELOFFER = 2
    CHANNELMSG_REQUESTOFFERS = 3
    CHANNELMSG_ALLOFFERS_DELIVERED = 4
    CHANNELMSG_OPENCHANNEL = 5
    CHANNELMSG_OPENCHANNEL_RESULT = 6
    CHANNELMSG_CLOSECHANNEL = 7
    CHANNELMSG_GPADL_HEADER = 8
    CHANNELMSG_GPADL_BODY = 9
    CHANNELMSG_GPADL_CREATED = 10
    CHANNELMSG_GPADL_TEARDOWN = 11
    CHANNELMSG_GPADL_TORNDOWN = 12
    CHANNELMSG_RELID_RELEASED = 13
    CHANNELMSG_INITIATE_CONTACT = 14
    CHANNELMSG_VERSION_RESPONSE = 15
    CHANNELMSG_UNLOAD = 16
    CHANNELMSG_UNLOAD_RESPONSE = 17
    CHANNELMSG_18 = 18
    CHANNELMSG_19 = 19
    CHANNELMSG_20 = 20
    CHANNELMSG_TL_CONNECT_REQUEST = 21
    CHANNELMSG_MODIFYCHANNEL = 22
    CHANNELMSG_TL_CONNECT_RESULT = 23
    CHANNELMSG_MODIFYCHANNEL_RESPONSE = 24
    MODIFY_CONNECTION = 25
    MODIFY_CONNECTION_RESPONSE = 26


C = ChannelMessageType
MsgType = Annotated[int, Viewed(Int32ul, path="header.msgtype")]
Padding = Annotated[int, Viewed(Int32ul, path="header.padding")]
GuidField = Annotated[UUID, Guid()]
UserData = Annotated[bytes, Octets(MAX_USER_DEFINED_BYTES)]
NO_USER_DATA = bytes(MAX_USER_DEFINED_BYTES)
NIL = UUID(int=0)


class VmbusChannelMessageHeader(WireRecord, frozen=True):
    """``struct vmbus_channel_message_header``: whole messages too (request offers, unload)."""

    msgtype: U32 = 0
    padding: U32 = 0


class VmbusChannelQueryVmbusVersion(WireRecord, frozen=True):
    """``struct vmbus_channel_query_vmbus_version``: declared, no longer sent."""

    msgtype: MsgType = 0
    padding: Padding = 0
    version: U32 = 0


class VmbusChannelVersionSupported(WireRecord, frozen=True):
    """``struct vmbus_channel_version_supported``: declared, no longer sent."""

    msgtype: MsgType = 0
    padding: Padding = 0
    version_supported: U8 = 0


class VmbusChannelOffer(WireRecord, frozen=True):
    """``struct vmbus_channel_offer``: what is offered. ``mmio_megabytes`` is in MiB."""

    if_type: GuidField = NIL
    if_instance: GuidField = NIL
    reserved1: U64 = 0
    reserved2: U64 = 0
    chn_flags: U16 = 0
    mmio_megabytes: U16 = 0
    user_def: Annotated[
        bytes,
        Viewed(
            Octets(MAX_USER_DEFINED_BYTES),
            At("u.pipe.pipe_mode", 0, Int32ul),
            At("u.pipe.user_def", 4, Octets(MAX_USER_DEFINED_BYTES - 4)),
            path="u.std.user_def",
        ),
    ] = NO_USER_DATA
    sub_channel_index: U16 = 0
    reserved3: U16 = 0


class VmbusChannelOfferChannel(WireRecord, frozen=True):
    """``struct vmbus_channel_offer_channel``: the relid and connection id of a new channel."""

    msgtype: MsgType = C.CHANNELMSG_OFFERCHANNEL
    padding: Padding = 0
    offer: VmbusChannelOffer = VmbusChannelOffer()
    child_relid: U32 = 0
    monitorid: U8 = 0
    monitor_allocated: Annotated[
        int, Viewed(Int8ul, Bits("monitor_allocated", 0, 1), Bits("reserved", 1, 7), path=None)
    ] = 0
    is_dedicated_interrupt: Annotated[
        int,
        Viewed(Int16ul, Bits("is_dedicated_interrupt", 0, 1), Bits("reserved1", 1, 15), path=None),
    ] = 0
    connection_id: U32 = 0


class VmbusChannelRescindOffer(WireRecord, frozen=True):
    """``struct vmbus_channel_rescind_offer``."""

    msgtype: MsgType = C.CHANNELMSG_RESCIND_CHANNELOFFER
    padding: Padding = 0
    child_relid: U32 = 0


class VmbusChannelOpenChannel(WireRecord, frozen=True):
    """``struct vmbus_channel_open_channel``: the downstream offset is in pages of the GPADL."""

    msgtype: MsgType = C.CHANNELMSG_OPENCHANNEL
    padding: Padding = 0
    child_relid: U32 = 0
    openid: U32 = 0
    ringbuffer_gpadlhandle: U32 = 0
    target_vp: U32 = 0
    downstream_ringbuffer_pageoffset: U32 = 0
    userdata: UserData = NO_USER_DATA


class VmbusChannelOpenResult(WireRecord, frozen=True):
    """``struct vmbus_channel_open_result``: status 0 is success."""

    msgtype: MsgType = C.CHANNELMSG_OPENCHANNEL_RESULT
    padding: Padding = 0
    child_relid: U32 = 0
    openid: U32 = 0
    status: U32 = 0


class VmbusChannelModifychannel(WireRecord, frozen=True):
    """``struct vmbus_channel_modifychannel``: move a channel's interrupt (4.1 and later)."""

    msgtype: MsgType = C.CHANNELMSG_MODIFYCHANNEL
    padding: Padding = 0
    child_relid: U32 = 0
    target_vp: U32 = 0


class VmbusChannelModifychannelResponse(WireRecord, frozen=True):
    """``struct vmbus_channel_modifychannel_response`` (5.3 and later)."""

    msgtype: MsgType = C.CHANNELMSG_MODIFYCHANNEL_RESPONSE
    padding: Padding = 0
    child_relid: U32 = 0
    status: U32 = 0


class VmbusChannelCloseChannel(WireRecord, frozen=True):
    """``struct vmbus_channel_close_channel``: no response exists."""

    msgtype: MsgType = C.CHANNELMSG_CLOSECHANNEL
    padding: Padding = 0
    child_relid: U32 = 0


class GpaRange(WireRecord, frozen=True):
    """``struct gpa_range``: bytes, offset into the first page, then page frame numbers."""

    byte_count: U32 = 0
    byte_offset: U32 = 0
    pfn_array: Annotated[tuple[int, ...], Greedy(Int64ul)] = ()


class VmbusChannelGpadlHeader(WireRecord, frozen=True):
    """``struct vmbus_channel_gpadl_header``: first part of a list of guest pages.

    ``range_buflen``: bytes of all ranges, bodies included. Model: the first range takes all the
    words of the message; Linux never sends a second one (``create_gpadl_header()``).
    """

    msgtype: MsgType = C.CHANNELMSG_GPADL_HEADER
    padding: Padding = 0
    child_relid: U32 = 0
    gpadl: U32 = 0
    range_buflen: U16 = 0
    rangecount: U16 = 0
    range: Annotated[tuple[GpaRange, ...], Greedy(GpaRange)] = ()


class VmbusChannelGpadlBody(WireRecord, frozen=True):
    """``struct vmbus_channel_gpadl_body``: more page frame numbers; Linux leaves msgnumber 0."""

    msgtype: MsgType = C.CHANNELMSG_GPADL_BODY
    padding: Padding = 0
    msgnumber: U32 = 0
    gpadl: U32 = 0
    pfn: Annotated[tuple[int, ...], Greedy(Int64ul)] = ()


class VmbusChannelGpadlCreated(WireRecord, frozen=True):
    """``struct vmbus_channel_gpadl_created``: status 0 is success."""

    msgtype: MsgType = C.CHANNELMSG_GPADL_CREATED
    padding: Padding = 0
    child_relid: U32 = 0
    gpadl: U32 = 0
    creation_status: U32 = 0


class VmbusChannelGpadlTeardown(WireRecord, frozen=True):
    """``struct vmbus_channel_gpadl_teardown``."""

    msgtype: MsgType = C.CHANNELMSG_GPADL_TEARDOWN
    padding: Padding = 0
    child_relid: U32 = 0
    gpadl: U32 = 0


class VmbusChannelGpadlTorndown(WireRecord, frozen=True):
    """``struct vmbus_channel_gpadl_torndown``."""

    msgtype: MsgType = C.CHANNELMSG_GPADL_TORNDOWN
    padding: Padding = 0
    gpadl: U32 = 0


class VmbusChannelRelidReleased(WireRecord, frozen=True):
    """``struct vmbus_channel_relid_released``: the guest is done with a rescinded channel."""

    msgtype: MsgType = C.CHANNELMSG_RELID_RELEASED
    padding: Padding = 0
    child_relid: U32 = 0


class VmbusChannelInitiateContact(WireRecord, frozen=True):
    """``struct vmbus_channel_initiate_contact``: ask for a version.

    ``interrupt_page`` is a guest address before 5.0; from 5.0 on its bytes are SINT, VTL, zeros.
    """

    msgtype: MsgType = C.CHANNELMSG_INITIATE_CONTACT
    padding: Padding = 0
    vmbus_version_requested: U32 = 0
    target_vcpu: U32 = 0
    interrupt_page: Annotated[
        int,
        Viewed(
            Int64ul,
            At("msg_sint", 0, Int8ul),
            At("msg_vtl", 1, Int8ul),
            At("reserved", 2, Octets(6)),
        ),
    ] = 0
    monitor_page1: U64 = 0
    monitor_page2: U64 = 0

    @property
    def msg_sint(self) -> int:
        """5.0 and later: the SynIC interrupt source that messages shall use."""
        return self.interrupt_page & 0xFF

    @property
    def msg_vtl(self) -> int:
        """5.0 and later: the virtual trust level that messages shall be delivered to."""
        return self.interrupt_page >> 8 & 0xFF


class VmbusChannelTlConnectRequest(WireRecord, frozen=True):
    """``struct vmbus_channel_tl_connect_request``: for hv_sock; not used by vPCI."""

    msgtype: MsgType = C.CHANNELMSG_TL_CONNECT_REQUEST
    padding: Padding = 0
    guest_endpoint_id: GuidField = NIL
    host_service_id: GuidField = NIL


class VmbusChannelVersionResponse(WireRecord, frozen=True):
    """``struct vmbus_channel_version_response``: ``msg_conn_id`` counts from 5.0 on."""

    msgtype: MsgType = C.CHANNELMSG_VERSION_RESPONSE
    padding: Padding = 0
    version_supported: U8 = 0
    connection_state: U8 = 0
    padding2: Annotated[int, Viewed(Int16ul, path="padding")] = 0
    msg_conn_id: U32 = 0


H = VmbusChannelMessageHeader
RECORDS: Mapping[int, type[WireRecord]] = {
    C.CHANNELMSG_OFFERCHANNEL: VmbusChannelOfferChannel,
    C.CHANNELMSG_RESCIND_CHANNELOFFER: VmbusChannelRescindOffer,
    C.CHANNELMSG_REQUESTOFFERS: H,
    C.CHANNELMSG_ALLOFFERS_DELIVERED: H,
    C.CHANNELMSG_OPENCHANNEL: VmbusChannelOpenChannel,
    C.CHANNELMSG_OPENCHANNEL_RESULT: VmbusChannelOpenResult,
    C.CHANNELMSG_CLOSECHANNEL: VmbusChannelCloseChannel,
    C.CHANNELMSG_GPADL_HEADER: VmbusChannelGpadlHeader,
    C.CHANNELMSG_GPADL_BODY: VmbusChannelGpadlBody,
    C.CHANNELMSG_GPADL_CREATED: VmbusChannelGpadlCreated,
    C.CHANNELMSG_GPADL_TEARDOWN: VmbusChannelGpadlTeardown,
    C.CHANNELMSG_GPADL_TORNDOWN: VmbusChannelGpadlTorndown,
    C.CHANNELMSG_RELID_RELEASED: VmbusChannelRelidReleased,
    C.CHANNELMSG_INITIATE_CONTACT: VmbusChannelInitiateContact,
    C.CHANNELMSG_VERSION_RESPONSE: VmbusChannelVersionResponse,
    C.CHANNELMSG_UNLOAD: H,
    C.CHANNELMSG_UNLOAD_RESPONSE: H,
    C.CHANNELMSG_TL_CONNECT_REQUEST: VmbusChannelTlConnectRequest,
    C.CHANNELMSG_MODIFYCHANNEL: VmbusChannelModifychannel,
    C.CHANNELMSG_MODIFYCHANNEL_RESPONSE: VmbusChannelModifychannelResponse,
}
MESSAGE_NAMES: Mapping[int, str] = {
    int(member): member.name.removeprefix("CHANNELMSG_") for member in C
}


def message_type(payload: Buffer) -> int:
    """The type word a control message begins with. Raises WireFormatError below four bytes."""
    if len(payload) < 4:
        reason = f"{4 - len(payload)} bytes too short"
        raise WireFormatError("vmbus_channel_message_header", "msgtype", 0, reason)
    return int.from_bytes(payload[:4], "little")


def message_name(payload: Buffer) -> str:
    """``OFFERCHANNEL`` and the like, or the type in hexadecimal when nobody has a name for it."""
    code = message_type(payload)
    return MESSAGE_NAMES.get(code) or f"0x{code:x}"


def parse_message(payload: Buffer) -> WireRecord:
    """The record of a control message by its type.

    Raises WireFormatError for a type without a structure or for bytes too short for theirs.
    """
    code = message_type(payload)
    record = RECORDS.get(code)
    if record is None:
        reason = f"0x{code:x} is no control message"
        raise WireFormatError("vmbus_channel_message_header", "msgtype", 0, reason)
    return record.parse(payload)
