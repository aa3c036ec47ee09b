# SPDX-License-Identifier: MIT
"""Control messages of VMBus that a host posts: right ones, and which are refused. No rings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from uuid import UUID

from guest.pci_hyperv.driver import HV_PCIE_GUID
from protocol.codec import WireRecord
from protocol.ids import RelId
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlTorndown,
    VmbusChannelMessageHeader,
    VmbusChannelModifychannelResponse,
    VmbusChannelOffer,
    VmbusChannelOfferChannel,
    VmbusChannelOpenResult,
    VmbusChannelRescindOffer,
    VmbusChannelVersionResponse,
)

C = ChannelMessageType
KEYBOARD: Final = UUID("f912ad6d-2b17-48ea-bd65-f927a61c7684")  # a device that no driver here wants
ANOTHER: Final = UUID("00000000-1111-2222-3333-444444444444")
ANOTHER_RELID: Final = RelId(77)
WORD: Final = 4
TYPES: Final = C.CHANNELMSG_MODIFYCHANNEL_RESPONSE + 1  # of messages, the last that Linux knows
# What a guest reads of a message beyond its type.
READ: Final[Mapping[int, type[WireRecord]]] = {
    C.CHANNELMSG_OFFERCHANNEL: VmbusChannelOfferChannel,
    C.CHANNELMSG_RESCIND_CHANNELOFFER: VmbusChannelRescindOffer,
    C.CHANNELMSG_OPENCHANNEL_RESULT: VmbusChannelOpenResult,
    C.CHANNELMSG_GPADL_CREATED: VmbusChannelGpadlCreated,
    C.CHANNELMSG_GPADL_TORNDOWN: VmbusChannelGpadlTorndown,
    C.CHANNELMSG_VERSION_RESPONSE: VmbusChannelVersionResponse,
    C.CHANNELMSG_MODIFYCHANNEL_RESPONSE: VmbusChannelModifychannelResponse,
}


@lru_cache(maxsize=8)
def from_a_host(relid: RelId, instance: UUID) -> tuple[bytes, ...]:
    """Every message that a host may post: of a device's channel, and of one that it has not."""
    offer = VmbusChannelOffer(if_type=KEYBOARD, if_instance=ANOTHER)
    again = VmbusChannelOffer(if_type=HV_PCIE_GUID, if_instance=instance)
    records: tuple[WireRecord, ...] = (
        VmbusChannelOfferChannel(offer=again, child_relid=relid, connection_id=0x2000 + relid),
        VmbusChannelOfferChannel(offer=again, child_relid=ANOTHER_RELID, connection_id=0x2077),
        VmbusChannelOfferChannel(offer=offer, child_relid=ANOTHER_RELID, connection_id=0x2077),
        VmbusChannelRescindOffer(child_relid=ANOTHER_RELID),
        VmbusChannelRescindOffer(child_relid=relid),
        VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_ALLOFFERS_DELIVERED),
        VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_UNLOAD_RESPONSE),
        VmbusChannelOpenResult(child_relid=relid, openid=relid),
        VmbusChannelGpadlCreated(child_relid=relid, gpadl=0xE1E10),
        VmbusChannelGpadlTorndown(gpadl=0xE1E10),
        VmbusChannelVersionResponse(version_supported=1),
        VmbusChannelModifychannelResponse(child_relid=relid),
    )
    return tuple(record.build() for record in records)


def control_refusal(payload: bytes) -> str | None:
    """Why a guest must say that it drops the message; None where it takes or skips it.

    As ``vmbus_on_msg_dpc`` of Linux 6.12 asks. What only a guest sends is skipped without a word.
    """
    code = int.from_bytes(payload[:WORD], "little")
    if code >= TYPES:
        return "a type that nobody knows"
    record = READ.get(code)
    if record is not None and len(payload) < record.SIZE:
        return "too short for its message"
    return None
