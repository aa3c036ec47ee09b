# SPDX-License-Identifier: MIT
"""What lies in a channel's ring: packet headers, and the ring's own control page.

As Linux declares them (``include/linux/hyperv.h``). vPCI uses only the plain descriptor; the other
headers are here because the ring must be able to name them. Structures that begin with the
descriptor are here what follows it. Knows no ring arithmetic and no message.
"""

from typing import Annotated

from construct import Array, Int32ul, Int64ul

from protocol.codec import WireRecord
from protocol.fields import U8, U16, U32, U64
from protocol.shapes import Bits, Counted, Greedy, UpTo, Viewed
from protocol.vmbus import VM_PKT_DATA_USING_GPA_DIRECT, GpaRange

PAGE_BUFFERS_MAX = 32  # MAX_PAGE_BUFFER_COUNT, MAX_MULTIPAGE_BUFFER_COUNT
PACKET_BYTES_MAX = 0xFFFF * 8  # len8 is a 16-bit count of 8-byte units

OneRange = Annotated[GpaRange, Viewed(GpaRange, path="range[0]")]
OpenPfns = Annotated[tuple[int, ...], Greedy(Int64ul)]


class VmpacketDescriptor(WireRecord, frozen=True):
    """``struct vmpacket_descriptor``: offset and length in 8-byte units, trailer not counted."""

    type: U16 = 0
    offset8: U16 = 0
    len8: U16 = 0
    flags: U16 = 0
    trans_id: U64 = 0


class VmpacketHeader(WireRecord, frozen=True):
    """``struct vmpacket_header``: declared in Linux and used by nobody."""

    prev_pkt_start_offset: U32 = 0
    descriptor: VmpacketDescriptor = VmpacketDescriptor()


class VmtransferPageRange(WireRecord, frozen=True):
    """``struct vmtransfer_page_range``: bytes and offset into the page set."""

    byte_count: U32 = 0
    byte_offset: U32 = 0


class VmtransferPagePacketHeader(WireRecord, frozen=True):
    """``struct vmtransfer_page_packet_header`` (VM_PKT_DATA_USING_XFER_PAGES)."""

    DESCRIPTOR_PATH = "d"
    xfer_pageset_id: U16 = 0
    sender_owns_set: U8 = 0
    reserved: U8 = 0
    range_cnt: U32 = 0
    ranges: Annotated[
        tuple[VmtransferPageRange, ...], Counted("range_cnt", VmtransferPageRange)
    ] = ()


class VmgpadlPacketHeader(WireRecord, frozen=True):
    """``struct vmgpadl_packet_header`` (VM_PKT_DATA_USING_GPADL)."""

    DESCRIPTOR_PATH = "d"
    gpadl: U32 = 0
    reserved: U32 = 0


class VmaddRemoveTransferPageSet(WireRecord, frozen=True):
    """``struct vmadd_remove_transfer_page_set``."""

    DESCRIPTOR_PATH = "d"
    gpadl: U32 = 0
    xfer_pageset_id: U16 = 0
    reserved: U16 = 0


class VmestablishGpadl(WireRecord, frozen=True):
    """``struct vmestablish_gpadl``: its ranges follow each other; the first is named."""

    DESCRIPTOR_PATH = "d"
    gpadl: U32 = 0
    range_cnt: U32 = 0
    range: OneRange = GpaRange()


class VmteardownGpadl(WireRecord, frozen=True):
    """``struct vmteardown_gpadl``."""

    DESCRIPTOR_PATH = "d"
    gpadl: U32 = 0
    reserved: U32 = 0


class VmdataGpaDirect(WireRecord, frozen=True):
    """``struct vmdata_gpa_direct``: data in guest pages; the first range is named."""

    DESCRIPTOR_PATH = "d"
    reserved: U32 = 0
    range_cnt: U32 = 0
    range: OneRange = GpaRange()


AdditionalBytes = Annotated[bytes, UpTo(PACKET_BYTES_MAX, declared=1)]


class VmadditionalData(WireRecord, frozen=True):
    """``struct vmadditional_data``: a further piece of a packet, ``byte_cnt`` bytes."""

    DESCRIPTOR_PATH = "d"
    total_bytes: U64 = 0
    offset: U32 = 0
    byte_cnt: U32 = 0
    data: AdditionalBytes = b""


class HvPageBuffer(WireRecord, frozen=True):
    """``struct hv_page_buffer``: bytes and offset in one guest page."""

    len: U32 = 0
    offset: U32 = 0
    pfn: U64 = 0


class HvMultipageBuffer(WireRecord, frozen=True):
    """``struct hv_multipage_buffer``: one buffer over at most 32 guest pages."""

    len: U32 = 0
    offset: U32 = 0
    pfn_array: Annotated[tuple[int, ...], Array(PAGE_BUFFERS_MAX, Int64ul)] = (
        0,
    ) * PAGE_BUFFERS_MAX


class HvMpbArray(WireRecord, frozen=True):
    """``struct hv_mpb_array``: one buffer over any number of guest pages."""

    len: U32 = 0
    offset: U32 = 0
    pfn_array: OpenPfns = ()


class VmbusChannelPacketPageBuffer(WireRecord, frozen=True):
    """``struct vmbus_channel_packet_page_buffer``: descriptor included; sent cut to its ranges.

    Model: parsed and built whole, with all 32 ranges.
    """

    type: U16 = VM_PKT_DATA_USING_GPA_DIRECT
    dataoffset8: U16 = 0
    length8: U16 = 0
    flags: U16 = 0
    transactionid: U64 = 0
    reserved: U32 = 0
    rangecount: U32 = 0
    range: Annotated[tuple[HvPageBuffer, ...], Array(PAGE_BUFFERS_MAX, HvPageBuffer.CONSTRUCT)] = (
        HvPageBuffer(),
    ) * PAGE_BUFFERS_MAX


class VmbusChannelPacketMultipageBuffer(WireRecord, frozen=True):
    """``struct vmbus_channel_packet_multipage_buffer``: descriptor included."""

    type: U16 = VM_PKT_DATA_USING_GPA_DIRECT
    dataoffset8: U16 = 0
    length8: U16 = 0
    flags: U16 = 0
    transactionid: U64 = 0
    reserved: U32 = 0
    rangecount: U32 = 0
    range: HvMultipageBuffer = HvMultipageBuffer()


class VmbusPacketMpbArray(WireRecord, frozen=True):
    """``struct vmbus_packet_mpb_array``: descriptor included."""

    type: U16 = VM_PKT_DATA_USING_GPA_DIRECT
    dataoffset8: U16 = 0
    length8: U16 = 0
    flags: U16 = 0
    transactionid: U64 = 0
    reserved: U32 = 0
    rangecount: U32 = 0
    range: HvMpbArray = HvMpbArray()


class HvRingBuffer(WireRecord, frozen=True):
    """``struct hv_ring_buffer``: the control page in front of a ring's data; indices in bytes.

    For the workbench; a live ring is read in place (``protocol.ring``). The rest of the page may
    be cut off. Model: the data area behind the page (``buffer``) is no part of the record.
    """

    write_index: U32 = 0
    read_index: U32 = 0
    interrupt_mask: U32 = 0
    pending_send_sz: U32 = 0
    reserved1: Annotated[tuple[int, ...], Array(12, Int32ul)] = (0,) * 12
    feature_bits: Annotated[
        int, Viewed(Int32ul, Bits(".feat_pending_send_sz", 0, 1), path=".value")
    ] = 0
    reserved2: Annotated[bytes, UpTo(4028, declared=4028)] = b""
