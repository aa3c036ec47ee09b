# SPDX-License-Identifier: MIT
"""Guests that take other control messages for their answers than Linux, or wait for other times.

Knows no case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from guest.kernel.kernel import Kernel
from guest.kernel.rcu import Rcu
from guest.kernel.sync import Completion
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.interrupts import VmbusInterrupts
from guest.vmbus.post import vmbus_post_msg
from protocol.ids import RelId
from protocol.versions import VmbusDialect
from protocol.vmbus import ChannelMessageType, VmbusChannelMessageHeader

T = ChannelMessageType
SIZE_AT = 4  # of the payload, one byte
PAYLOAD_AT = 16
TYPE = slice(PAYLOAD_AT, PAYLOAD_AT + 4)
KEYS_AT = PAYLOAD_AT + 8  # what an answer is matched by
PATIENCE_MS = 60_000
SECOND_NS = 1_000_000_000


class TakesAny(VmbusInterrupts):
    """It takes every answer of one type for its own."""

    answer: T
    own: tuple[int, ...]  # the words by which its own is known

    def __init__(
        self,
        kernel: Kernel,
        rcu: Rcu,
        channels: Mapping[RelId, VmbusChannel],
        dispatch: Callable[[bytes], Awaitable[bool]],
    ) -> None:
        super().__init__(kernel, rcu, channels, lambda message: dispatch(self._taken(message)))

    def _taken(self, message: bytes) -> bytes:
        if int.from_bytes(message[TYPE], "little") != self.answer:
            return message
        own = b"".join(word.to_bytes(4, "little") for word in self.own)
        return message[:KEYS_AT] + own + message[KEYS_AT + len(own) :]


class TakesNonsense(TakesAny):
    """It takes what it cannot read for the end of the first channel."""

    def _taken(self, message: bytes) -> bytes:
        kind = int(T.CHANNELMSG_RESCIND_CHANNELOFFER).to_bytes(8, "little")
        rescind = kind + (1).to_bytes(4, "little")
        head = message[:SIZE_AT] + bytes((len(rescind),)) + message[SIZE_AT + 1 : PAYLOAD_AT]
        return head + rescind


class TakesUnknownTypes(TakesNonsense):
    def _taken(self, message: bytes) -> bytes:
        known = int.from_bytes(message[TYPE], "little") < T.CHANNELMSG_MODIFYCHANNEL_RESPONSE + 1
        return message if known else super()._taken(message)


class TakesShortRescinds(TakesNonsense):
    def _taken(self, message: bytes) -> bytes:
        rescind = int.from_bytes(message[TYPE], "little") == T.CHANNELMSG_RESCIND_CHANNELOFFER
        short = rescind and not any(message[KEYS_AT:])
        return super()._taken(message) if short else message


class TakesAnyGpadl(TakesAny):
    answer = T.CHANNELMSG_GPADL_CREATED
    own = (1, 0xE1E10)


class TakesAnyOpen(TakesAny):
    answer = T.CHANNELMSG_OPENCHANNEL_RESULT
    own = (1, 1)


class TakesAnyTeardown(TakesAny):
    answer = T.CHANNELMSG_GPADL_TORNDOWN
    own = (0xE1E10,)


class MakesSure(VmbusConnection):
    """It makes contact once more when its host has said yes."""

    async def connect(self) -> int:
        return await super().connect() or await super().connect()


class AsksForMore(VmbusInterrupts):
    """It asks for offers again when there are no more."""

    def __init__(
        self,
        kernel: Kernel,
        rcu: Rcu,
        channels: Mapping[RelId, VmbusChannel],
        dispatch: Callable[[bytes], Awaitable[bool]],
    ) -> None:
        vmbus = dispatch.args[0]  # type: ignore[attr-defined]  # a partial of the connection's

        async def asking(message: bytes) -> bool:
            if int.from_bytes(message[TYPE], "little") == T.CHANNELMSG_ALLOFFERS_DELIVERED:
                await vmbus.request_offers()
            return await dispatch(message)

        super().__init__(kernel, rcu, channels, asking)


class ContactsInHaste(VmbusConnection):
    """Without an answer after a minute it tries the next version."""

    async def vmbus_negotiate_version(self, dialect: VmbusDialect) -> int:
        self.msg_conn_id = dialect.message_connection_id
        await vmbus_post_msg(self, self._contact_message(dialect))
        await Completion(self.kernel, "patience").wait_timeout(PATIENCE_MS)
        return await super().vmbus_negotiate_version(dialect)


class LeavesInHaste(VmbusConnection):
    """It gives the host a minute to answer UNLOAD."""

    async def initiate_unload(self) -> None:
        if self.disconnect():
            message = VmbusChannelMessageHeader(msgtype=T.CHANNELMSG_UNLOAD)
            await vmbus_post_msg(self, message.build())
            await self.unload_event.wait_timeout(PATIENCE_MS)


class ResumesInHaste(VmbusConnection):
    async def wait_for_offers(self) -> bool:
        return False


class Done(Completion):
    """Nobody has to wait for it."""

    __slots__ = ()

    def done(self) -> bool:
        return True


class DiesInHaste(VmbusConnection):
    """A kernel of it that crashes does not wait for the host."""

    def disconnect(self) -> bool:
        self.unload_event = Done(self.kernel, self.unload_event.name)
        return super().disconnect()


class TriesTenTimes(VmbusConnection):
    post_tries = 10


class TriesForEver(VmbusConnection):
    post_tries = 200


class LosesPatience(VmbusConnection):
    """Its delays do not grow beyond a second."""

    post_doublings = 20


class LooksRarely(VmbusInterrupts):
    """A kernel of it that crashes looks for the host's answer once a second."""

    def take_message(self, cpu: int) -> bytes | None:
        if self._kernel.now_ns() % SECOND_NS:
            return None
        return super().take_message(cpu)
