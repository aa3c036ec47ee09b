# SPDX-License-Identifier: MIT
"""Guests that use VMBus wrongly: control messages and the rings themselves."""

from __future__ import annotations

from typing import Final

from guest.vmbus.channel import VmbusChannel
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.post import vmbus_post_msg
from protocol.vmbus import (
    MAX_SIZE_CHANNEL_MESSAGE,
    ChannelMessageType,
    VmbusChannelMessageHeader,
)
from sim.conformance.wrong_guests.record import WrongGuest, vmbus


class PostsTooMuch(VmbusConnection):
    """Once, and it lets that come to nothing."""

    async def request_offers(self) -> int:
        head = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        await vmbus_post_msg(self, head.build().ljust(MAX_SIZE_CHANNEL_MESSAGE + 8, b"\0"))
        return await super().request_offers()


class SleepsOn(VmbusConnection):
    async def wake_waiter(self, channel: VmbusChannel) -> None:
        pass


WRONG: Final[tuple[WrongGuest, ...]] = (
    vmbus("messages-well-formed", "posts a message of 248 bytes", PostsTooMuch),
    vmbus("rescind-ends-an-open", "waits for a channel that has gone", SleepsOn),
)
