# SPDX-License-Identifier: MIT
"""The contact with the host: a version, and the connection that messages are posted to afterwards.

After vmbus_connect() and vmbus_negotiate_version() of drivers/hv/connection.c. Knows no channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import ECONNREFUSED, EINVAL, ENOMEM, ENXIO

from guest.isolation import Isolation
from guest.vmbus.channel import CONNECT_CPU
from guest.vmbus.post import Posting, begin_request, unlist_request, vmbus_post_msg
from protocol.versions import VMBUS_DIALECTS, VmbusDialect
from protocol.vmbus import (
    VMBUS_MESSAGE_CONNECTION_ID_REDIRECT,
    ChannelMessageType,
    VmbusChannelInitiateContact,
    VmbusChannelVersionResponse,
)

MESSAGE_SINT = 2  # VMBUS_MESSAGE_SINT
REDIRECTED_VTL = 2


class Contact(Posting):
    """The connection's part that agrees on a version."""

    versions: Sequence[int]
    isolation: Isolation
    vtl: int
    dialect: VmbusDialect | None
    connected: bool
    interrupt_page: int
    monitor_pages: Sequence[int]

    async def connect(self) -> int:
        """vmbus_connect(): negotiate, highest version first; 0 or the last version's error.

        -EINVAL if an isolated guest and its host agree on a version that is too old. Linux sends
        no UNLOAD then, since it has not noted the version yet.
        """
        error = -ECONNREFUSED
        for version in self.versions:
            dialect = VMBUS_DIALECTS[version]
            error = await self.vmbus_negotiate_version(dialect)
            if error == 0 and self.isolation.hardened_only and not dialect.hardened:
                self.kernel.log("err", f"Invalid VMBus version {dialect.name}")
                return -EINVAL
            if error == 0:
                break
        return error

    async def vmbus_negotiate_version(self, dialect: VmbusDialect) -> int:
        """vmbus_negotiate_version(): as ``_try_connection_id()``, which VTL 2 may do twice.

        There the host may have redirected the contact to a connection of its own.
        """
        if dialect.contact_carries_sint and self.vtl == REDIRECTED_VTL:
            error = await self._try_connection_id(dialect, VMBUS_MESSAGE_CONNECTION_ID_REDIRECT)
            if error != -ENXIO:
                return error
        return await self._try_connection_id(dialect, dialect.message_connection_id)

    async def _try_connection_id(self, dialect: VmbusDialect, connection_id: int) -> int:
        """vmbus_try_connection_id(): 0, -ECONNREFUSED, -ENXIO, -ENOMEM or a posting error."""
        key = (ChannelMessageType.CHANNELMSG_INITIATE_CONTACT,)
        info = await begin_request(self, key, None)
        if info is None:
            return -ENOMEM
        self.msg_conn_id = connection_id
        error = await vmbus_post_msg(self, self._contact_message(dialect))
        if not error:
            await info.waitevent.wait()
        await unlist_request(self, info)
        response = info.response
        await self.kernel.kfree(info)
        if error:
            return error
        assert isinstance(response, VmbusChannelVersionResponse)
        if not response.version_supported:
            return -ECONNREFUSED
        self.connected = True
        self.dialect = dialect
        if dialect.reply_names_connection_id:
            self.msg_conn_id = response.msg_conn_id
        self.kernel.log("info", f"Vmbus version:{dialect.name}")
        return 0

    def _contact_message(self, dialect: VmbusDialect) -> bytes:
        """Where messages shall come to, from 5.0 on; before it, where the interrupt page lies."""
        target = MESSAGE_SINT | self.vtl << 8
        return VmbusChannelInitiateContact(
            vmbus_version_requested=dialect.version,
            target_vcpu=self.kernel.cpus[CONNECT_CPU].vp,
            interrupt_page=target if dialect.contact_carries_sint else self.interrupt_page,
            monitor_page1=self.monitor_pages[0],
            monitor_page2=self.monitor_pages[1],
        ).build()
