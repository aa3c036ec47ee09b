# SPDX-License-Identifier: MIT
"""VMBus as OpenVMM declares it (crates ``vmbus_core`` and ``vmbus_ring``).

The bodies of control messages here begin behind the 8-byte header (``OvMessageHeader``). ``OvX`` is
OpenVMM's ``X``. Knows no version and no role.
"""

from typing import Annotated
from uuid import UUID

from construct import Array, Int16ul, Int32ul, Int64ul

from protocol.codec import WireRecord
from protocol.fields import S32, U8, U16, U32, U64
from protocol.shapes import At, Bits, Guid, Octets, Viewed
from protocol.vmbus import NIL, NO_USER_DATA, UserData

OvGuid = Annotated[
    UUID,
    Viewed(
        Guid(),
        At(".data1", 0, Int32ul),
        At(".data2", 4, Int16ul),
        At(".data3", 6, Int16ul),
        At(".data4", 8, Octets(8)),
    ),
]


class OvPacketDescriptor(WireRecord, frozen=True):
    """``PacketDescriptor`` of the ring: offset and length in 8-byte units."""

    packet_type: U16 = 0
    data_offset8: U16 = 0
    length8: U16 = 0
    flags: U16 = 0
    transaction_id: U64 = 0


class OvTransferPageHeader(WireRecord, frozen=True):
    """``TransferPageHeader``: behind the descriptor."""

    transfer_page_set_id: U16 = 0
    reserved: U16 = 0
    range_count: U32 = 0


class OvGpaDirectHeader(WireRecord, frozen=True):
    """``GpaDirectHeader``: behind the descriptor."""

    reserved: U32 = 0
    range_count: U32 = 0


class OvFooter(WireRecord, frozen=True):
    """``Footer``: the packet's trailer; ``offset`` is its own start in the ring, in bytes."""

    reserved: U32 = 0
    offset: U32 = 0


class OvMessageHeader(WireRecord, frozen=True):
    """``MessageHeader``: before every control message's body."""

    message_type: U32 = 0
    padding: U32 = 0


class OvInitiateContact(WireRecord, frozen=True):
    """``InitiateContact``."""

    version_requested: U32 = 0
    target_message_vp: U32 = 0
    interrupt_page_or_target_info: U64 = 0
    parent_to_child_monitor_page_gpa: U64 = 0
    child_to_parent_monitor_page_gpa: U64 = 0


class OvInitiateContact2(WireRecord, frozen=True):
    """``InitiateContact2`` (6.0): with the client's id."""

    initiate_contact: OvInitiateContact = OvInitiateContact()
    client_id: OvGuid = NIL


class OvTargetInfo(WireRecord, frozen=True):
    """``TargetInfo``: the word that replaced the interrupt page in 5.0."""

    raw: Annotated[
        int,
        Viewed(
            Int64ul,
            Bits("bits.sint", 0, 8),
            Bits("bits.vtl", 8, 8),
            Bits("bits.padding", 16, 16),
            Bits("bits.feature_flags", 32, 32),
        ),
    ] = 0


class OvVersionResponse(WireRecord, frozen=True):
    """``VersionResponse``."""

    version_supported: U8 = 0
    connection_state: U8 = 0
    padding: U16 = 0
    selected_version_or_connection_id: U32 = 0


class OvVersionResponse2(WireRecord, frozen=True):
    """``VersionResponse2`` (6.0): with the features both sides have."""

    version_response: OvVersionResponse = OvVersionResponse()
    supported_features: U32 = 0


class OvVersionResponse3(WireRecord, frozen=True):
    """``VersionResponse3`` (6.0): when the server supplies the monitor pages."""

    version_response2: OvVersionResponse2 = OvVersionResponse2()
    padding: U32 = 0
    parent_to_child_monitor_page_gpa: U64 = 0
    child_to_parent_monitor_page_gpa: U64 = 0


class OvOfferChannel(WireRecord, frozen=True):
    """``OfferChannel``: MMIO in MiB."""

    interface_id: OvGuid = NIL
    instance_id: OvGuid = NIL
    rsvd: Annotated[tuple[int, ...], Array(4, Int32ul)] = (0,) * 4
    flags: U16 = 0
    mmio_megabytes: U16 = 0
    user_defined: UserData = NO_USER_DATA
    subchannel_index: U16 = 0
    mmio_megabytes_optional: U16 = 0
    channel_id: U32 = 0
    monitor_id: U8 = 0
    monitor_allocated: U8 = 0
    is_dedicated: U16 = 0
    connection_id: U32 = 0


class OvOpenChannel(WireRecord, frozen=True):
    """``OpenChannel``: the downstream offset is in pages."""

    channel_id: U32 = 0
    open_id: U32 = 0
    ring_buffer_gpadl_id: U32 = 0
    target_vp: U32 = 0
    downstream_ring_buffer_page_offset: U32 = 0
    user_data: UserData = NO_USER_DATA


class OvOpenChannel2(WireRecord, frozen=True):
    """``OpenChannel2`` (6.0): the guest names how it wants to be signalled."""

    open_channel: OvOpenChannel = OvOpenChannel()
    connection_id: U32 = 0
    event_flag: U16 = 0
    flags: U16 = 0


class OvOpenReservedChannel(WireRecord, frozen=True):
    """``OpenReservedChannel``."""

    channel_id: U32 = 0
    target_vp: U32 = 0
    target_sint: U32 = 0
    ring_buffer_gpadl: U32 = 0
    downstream_page_offset: U32 = 0


class OvCloseReservedChannel(WireRecord, frozen=True):
    """``CloseReservedChannel``."""

    channel_id: U32 = 0
    target_vp: U32 = 0
    target_sint: U32 = 0


class OvCloseReservedChannelResponse(WireRecord, frozen=True):
    """``CloseReservedChannelResponse``."""

    channel_id: U32 = 0


class OvTlConnectRequest2(WireRecord, frozen=True):
    """``TlConnectRequest2``: for sockets; not used by vPCI."""

    endpoint_id: OvGuid = NIL
    service_id: OvGuid = NIL
    silo_id: OvGuid = NIL


class OvTlConnectResult(WireRecord, frozen=True):
    """``TlConnectResult``."""

    endpoint_id: OvGuid = NIL
    service_id: OvGuid = NIL
    status: S32 = 0


class OvModifyConnection(WireRecord, frozen=True):
    """``ModifyConnection`` (6.0): new monitor pages."""

    parent_to_child_monitor_page_gpa: U64 = 0
    child_to_parent_monitor_page_gpa: U64 = 0


class OvModifyConnectionResponse(WireRecord, frozen=True):
    """``ModifyConnectionResponse``."""

    connection_state: U8 = 0
