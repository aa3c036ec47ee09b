# SPDX-License-Identifier: MIT
"""Control messages that answer a request: each finds who waits and wakes it.

These run in the message tasklet. After the vmbus_on*() handlers of channel_mgmt.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from guest.vmbus.post import answer_request
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlTorndown,
    VmbusChannelModifychannelResponse,
    VmbusChannelOpenResult,
    VmbusChannelVersionResponse,
)

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection


async def vmbus_onopen_result(vmbus: VmbusConnection, result: VmbusChannelOpenResult) -> None:
    """Matched by relid and open id."""
    key = (ChannelMessageType.CHANNELMSG_OPENCHANNEL, result.child_relid, result.openid)
    await answer_request(vmbus, key, result)


async def vmbus_ongpadl_created(vmbus: VmbusConnection, created: VmbusChannelGpadlCreated) -> None:
    """Matched by relid and handle."""
    key = (ChannelMessageType.CHANNELMSG_GPADL_HEADER, created.child_relid, created.gpadl)
    await answer_request(vmbus, key, created)


async def vmbus_ongpadl_torndown(vmbus: VmbusConnection, gone: VmbusChannelGpadlTorndown) -> None:
    """Matched by the handle alone."""
    await answer_request(vmbus, (ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN, gone.gpadl), gone)


async def vmbus_onversion_response(
    vmbus: VmbusConnection, response: VmbusChannelVersionResponse
) -> None:
    """Carries no correlator: completes whatever contact is pending."""
    await answer_request(vmbus, (ChannelMessageType.CHANNELMSG_INITIATE_CONTACT,), response)


async def vmbus_onmodifychannel_response(
    vmbus: VmbusConnection, response: VmbusChannelModifychannelResponse
) -> None:
    """Matched by relid."""
    key = (ChannelMessageType.CHANNELMSG_MODIFYCHANNEL, response.child_relid)
    await answer_request(vmbus, key, response)


async def vmbus_unload_response(vmbus: VmbusConnection, _: None) -> None:
    """The host has let go of every channel."""
    await vmbus.unload_event.complete()


async def vmbus_onoffers_delivered(vmbus: VmbusConnection, _: None) -> None:
    """Linux does nothing with it."""


HANDLERS: Mapping[int, tuple[Any, Callable[[VmbusConnection, Any], Awaitable[None]]]] = {
    ChannelMessageType.CHANNELMSG_OPENCHANNEL_RESULT: (VmbusChannelOpenResult, vmbus_onopen_result),
    ChannelMessageType.CHANNELMSG_GPADL_CREATED: (VmbusChannelGpadlCreated, vmbus_ongpadl_created),
    ChannelMessageType.CHANNELMSG_GPADL_TORNDOWN: (
        VmbusChannelGpadlTorndown,
        vmbus_ongpadl_torndown,
    ),
    ChannelMessageType.CHANNELMSG_VERSION_RESPONSE: (
        VmbusChannelVersionResponse,
        vmbus_onversion_response,
    ),
    ChannelMessageType.CHANNELMSG_MODIFYCHANNEL_RESPONSE: (
        VmbusChannelModifychannelResponse,
        vmbus_onmodifychannel_response,
    ),
    # Nothing but the type is read of these, so that no length is asked for.
    ChannelMessageType.CHANNELMSG_UNLOAD_RESPONSE: (None, vmbus_unload_response),
    ChannelMessageType.CHANNELMSG_ALLOFFERS_DELIVERED: (None, vmbus_onoffers_delivered),
}
