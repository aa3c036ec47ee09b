# SPDX-License-Identifier: MIT
"""The first words to the host: which version, on which connection, and who is told what."""

from __future__ import annotations

from errno import ECONNREFUSED

import pytest

from protocol.hypercall import HV_STATUS_INVALID_CONNECTION_ID, HypercallResult
from protocol.ids import VpIndex
from protocol.synic import HvInputPostMessage
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelVersionResponse,
)
from tests.guest.vmbus.scripted_host import ScriptedHost


class Listener(ScriptedHost):
    """A host that notes on which connection each message came, and knows all but one of them."""

    def __init__(self, *, accept: int = 0x50003, vtl: int = 0, unknown_id: int = 0) -> None:
        super().__init__(accept=accept, vtl=vtl)
        self.unknown_id = unknown_id
        self.connection_ids: list[int] = []
        self.errors: list[int] = []

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        connection_id = HvInputPostMessage.parse(data).connectionid
        self.connection_ids.append(connection_id)
        if connection_id == self.unknown_id:
            return HypercallResult(HV_STATUS_INVALID_CONNECTION_ID)
        return super().hypercall(vp, control, data)

    async def _connect(self) -> None:
        self.errors.append(await self.vmbus.connect())

    def connected(self) -> Listener:
        """After the guest has tried."""
        self.connect()
        self.engine.run()
        return self

    @property
    def contacts(self) -> list[VmbusChannelInitiateContact]:
        """The contacts that reached it."""
        return [post for post in self.posts if isinstance(post, VmbusChannelInitiateContact)]


@pytest.mark.wire_note("1.1a", "1.1b", "1.1c", "1.2a")
def test_versions_are_tried_from_the_highest_down_on_their_connection_ids() -> None:
    host = Listener(accept=0x20004).connected()
    assert [contact.vmbus_version_requested for contact in host.contacts] == [
        0x50003, 0x50002, 0x50001, 0x50000, 0x40001, 0x40000, 0x30000, 0x20004,
    ]  # fmt: skip
    assert host.connection_ids == [4] * 4 + [1] * 4
    assert [contact.interrupt_page for contact in host.contacts[:4]] == [2] * 4
    (page,) = {contact.interrupt_page for contact in host.contacts[4:]}
    assert page
    assert page % 4096 == 0
    assert host.vmbus.msg_conn_id == 1


@pytest.mark.wire_note("1.2b")
@pytest.mark.parametrize(("version", "named"), [(0x50003, 0x1234), (0x50000, 0x1234), (0x40001, 1)])
def test_from_5_0_on_later_posts_go_to_the_connection_the_host_named(
    version: int, named: int
) -> None:
    host = Listener(accept=version).connected()

    async def ask() -> None:
        assert await host.vmbus.request_offers() == 0

    host.kernel.spawn_thread("ask", ask())
    host.engine.run()
    assert host.connection_ids[-1] == named


def test_a_host_that_accepts_nothing_refuses_the_connection() -> None:
    assert Listener(accept=0).connected().errors == [-ECONNREFUSED]


@pytest.mark.wire_note("1.1d")
def test_an_unknown_connection_id_ends_a_version_without_retrying() -> None:
    host = Listener(accept=0x40001, unknown_id=4).connected()
    assert host.connection_ids == [4, 4, 4, 4, 1]
    assert host.errors == [0]


@pytest.mark.wire_note("1.1b", "9.2b")
def test_the_contact_names_the_guests_trust_level_and_in_2_tries_the_redirected_id_first() -> None:
    redirected = 0x800074
    for vtl, unknown_id, tried in (
        (0, redirected, [4]),
        (1, redirected, [4]),
        (2, 4, [redirected]),
        (2, redirected, [redirected, 4]),
    ):
        host = Listener(vtl=vtl, unknown_id=unknown_id).connected()
        assert host.connection_ids == tried
        assert [contact.msg_vtl for contact in host.contacts] == [vtl]


@pytest.mark.wire_note("1.4j")
def test_an_answer_that_names_no_contact_is_taken_for_the_one_that_waits() -> None:
    host = Listener()
    host.answers[ChannelMessageType.CHANNELMSG_INITIATE_CONTACT] = lambda _: None
    host.post(VmbusChannelVersionResponse(version_supported=1, msg_conn_id=7), 5_000_000)
    assert host.connected().errors == [0]
    assert host.vmbus.msg_conn_id == 7


@pytest.mark.wire_note("1.3b")
def test_hearing_that_there_are_no_more_offers_leads_to_nothing() -> None:
    host = Listener().connected()
    heard, logged = list(host.heard), list(host.kernel.log_lines)
    delivered = ChannelMessageType.CHANNELMSG_ALLOFFERS_DELIVERED
    host.post(VmbusChannelMessageHeader(msgtype=delivered))
    host.engine.run()
    assert host.heard == heard
    assert host.kernel.log_lines == logged
    assert host.engine.waiting() == []
