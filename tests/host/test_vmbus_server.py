# SPDX-License-Identifier: MIT
"""Stories of one guest and its VMBus server, at each version; and what the server refuses."""

from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.channel_book import MAX_CHANNELS, Renumber, Reoffer
from host.offered_channels import UnknownGpadl
from host.vmbus_effects import (
    ChannelFreed,
    ChannelRetargeted,
    CloseRing,
    Effect,
    Offer,
    OpenRing,
    PostToGuest,
)
from host.vmbus_server import INTERRUPTS_DISABLED, VmbusServer
from protocol.channel_states import ChannelState
from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError, RemoteProtocolError, WireFormatError
from protocol.ids import ConnectionId, Gpa, RelId, VpIndex
from protocol.session_states import SessionState
from protocol.versions import VMBUS_DIALECTS, VmbusDialect
from protocol.vmbus import (
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelModifychannel,
    VmbusChannelModifychannelResponse,
    VmbusChannelOfferChannel,
    VmbusChannelOpenChannel,
    VmbusChannelOpenResult,
    VmbusChannelRelidReleased,
    VmbusChannelVersionResponse,
    message_name,
    parse_message,
)

VPS = tuple(VpIndex(vp) for vp in (0, 1, 2, 3))
ONE = Offer(UUID("d2a3f410-9c4b-41e7-a1b2-c3d4e5f60718"))
TWO = Offer(UUID("c3055b6c-454f-4b1e-8e5f-000000000001"))
NEWEST = VMBUS_DIALECTS[0x50003]
GPADL = 0xE1E10
PAGES = tuple(Gpa((0x20000 + page) * 4096) for page in range(10))
BAD = 0xC0000001  # STATUS_UNSUCCESSFUL
every_version = pytest.mark.parametrize(
    "dialect", VMBUS_DIALECTS.values(), ids=lambda dialect: dialect.name
)


class Guest:
    """A guest that says what it is told to, and remembers the answers."""

    def __init__(self, server: VmbusServer) -> None:
        self.server = server
        self.effects: list[Effect] = []

    def say(self, message: WireRecord) -> list[Effect]:
        self.server.post_message(message.build())
        return self.take()

    def take(self) -> list[Effect]:
        self.effects = self.server.take_effects()
        return self.effects

    def heard(self) -> list[str]:
        """Names of the messages among the latest effects."""
        return [message_name(e.payload) for e in self.effects if isinstance(e, PostToGuest)]

    def reply(self) -> Any:
        """The only message among the latest effects."""
        (posted,) = (e for e in self.effects if isinstance(e, PostToGuest))
        return parse_message(posted.payload)

    def contact(self, dialect: VmbusDialect = NEWEST, **fields: int) -> Any:
        sint = 2 if dialect.contact_carries_sint else 0x7000
        values = {"vmbus_version_requested": dialect.version, "interrupt_page": sint} | fields
        self.say(VmbusChannelInitiateContact(**values))
        return self.reply()

    def ask_for_offers(self) -> list[str]:
        self.say(header("REQUESTOFFERS"))
        return self.heard()

    def establish_gpadl(self, relid: int, handle: int = GPADL, pages: int = 10) -> Any:
        self.say(gpadl_header(relid, handle, pages))
        return self.reply()

    def open(self, relid: int, **fields: int) -> list[Effect]:
        return self.say(open_channel(relid, **fields))


def header(name: str) -> VmbusChannelMessageHeader:
    return VmbusChannelMessageHeader(msgtype=ChannelMessageType["CHANNELMSG_" + name])


def gpadl_header(relid: int, handle: int = GPADL, pages: int = 10) -> VmbusChannelGpadlHeader:
    """What Linux sends for a buffer of so many pages: up to 26 page numbers, the rest in bodies."""
    numbers = tuple(range(0x20000, 0x20000 + min(pages, 26)))
    return VmbusChannelGpadlHeader(
        child_relid=relid,
        gpadl=handle,
        range_buflen=8 + 8 * pages,
        rangecount=1,
        range=(GpaRange(byte_count=pages * 4096, pfn_array=numbers),),
    )


def open_channel(relid: int, **fields: int) -> VmbusChannelOpenChannel:
    values: dict[str, Any] = {
        "child_relid": relid,
        "openid": relid,
        "ringbuffer_gpadlhandle": GPADL,
        "target_vp": 0,
        "downstream_ringbuffer_pageoffset": 5,
    }
    return VmbusChannelOpenChannel(**values | fields)


def connected(dialect: VmbusDialect = NEWEST, *offers: Offer, **knobs: Any) -> Guest:
    """A guest that has asked for offers."""
    guest = Guest(VmbusServer(VPS, **knobs))
    for offer in offers:
        guest.server.offer(offer)
    guest.contact(dialect)
    guest.ask_for_offers()
    return guest


def opened(dialect: VmbusDialect = NEWEST, **fields: int) -> tuple[Guest, RelId]:
    """A guest with one channel open."""
    guest = connected(dialect, ONE)
    relid = RelId(1)
    guest.establish_gpadl(relid)
    guest.open(relid, **fields)
    guest.server.opened(relid)
    guest.take()
    assert guest.server.state(relid) is ChannelState.OPEN
    return guest, relid


# --- stories ------------------------------------------------------------------------------------


@every_version
def test_a_channel_is_offered_opened_closed_and_taken_back(dialect: VmbusDialect) -> None:
    server = VmbusServer(VPS)
    guest = Guest(server)
    relid = server.offer(ONE)
    assert guest.take() == []  # nobody is there to hear it

    response = guest.contact(dialect, target_vcpu=2)
    assert (response.version_supported, response.connection_state) == (1, 0)
    five = dialect.reply_names_connection_id
    assert response.msg_conn_id == (dialect.message_connection_id if five else dialect.version)

    assert guest.ask_for_offers() == ["OFFERCHANNEL", "ALLOFFERS_DELIVERED"]
    posted = guest.effects[0]
    assert isinstance(posted, PostToGuest)
    assert posted.vp == 2  # the processor the contact named
    offer = VmbusChannelOfferChannel.parse(posted.payload)
    assert offer.offer.if_instance == ONE.instance_id
    assert offer.offer.if_type == UUID("44c4f61d-4444-4400-9d52-802e27ede19f")
    assert (offer.child_relid, offer.connection_id) == (relid, 0x2000 + relid)
    assert (offer.is_dedicated_interrupt, offer.monitor_allocated) == (1, 0)

    created = guest.establish_gpadl(relid)
    assert (created.child_relid, created.gpadl, created.creation_status) == (relid, GPADL, 0)

    assert guest.open(relid, target_vp=1) == [OpenRing(relid, PAGES, 5, VpIndex(1), bytes(120))]
    assert server.event_target(relid) is None  # not before the device has answered
    server.opened(relid)
    guest.take()
    result = guest.reply()
    assert (result.child_relid, result.openid, result.status) == (relid, relid, 0)
    assert server.event_target(relid) == 1
    assert server.signalled(ConnectionId(0x2000 + relid)) == relid

    assert guest.say(VmbusChannelCloseChannel(child_relid=relid)) == [CloseRing(relid)]
    assert server.signalled(ConnectionId(0x2000 + relid)) is None
    guest.say(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=GPADL))
    assert guest.heard() == ["GPADL_TORNDOWN"]

    server.rescind(relid)
    guest.take()
    assert guest.reply().child_relid == relid
    assert server.state(relid) is ChannelState.RESCINDED
    freed = guest.say(VmbusChannelRelidReleased(child_relid=relid))
    assert freed == [ChannelFreed(relid)]
    assert server.state(relid) is ChannelState.GONE


@every_version
def test_unload_ends_the_connection_where_the_version_has_it(dialect: VmbusDialect) -> None:
    guest, relid = opened(dialect)
    server = guest.server
    if not dialect.unload:
        with pytest.raises(RemoteProtocolError, match=f"UNLOAD at version {dialect.name}"):
            guest.say(header("UNLOAD"))
        assert server.state(relid) is ChannelState.OPEN
        return
    guest.say(header("UNLOAD"))
    assert guest.effects[0] == CloseRing(relid)
    assert guest.heard() == ["UNLOAD_RESPONSE"]
    assert server.session is SessionState.DISCONNECTED
    assert server.state(relid) is ChannelState.UNOFFERED
    guest.contact(dialect)
    assert guest.ask_for_offers() == ["OFFERCHANNEL", "ALLOFFERS_DELIVERED"]
    again = RelId(relid + 1)  # the numbers count on
    assert guest.establish_gpadl(again).creation_status == 0  # the old list is forgotten


def test_a_host_may_offer_a_channel_again_under_the_relid_it_had() -> None:
    guest, relid = connected(NEWEST, ONE, renumber=Renumber.SAME), RelId(1)
    guest.say(header("UNLOAD"))
    guest.contact(NEWEST)
    guest.ask_for_offers()
    assert guest.server.state(relid) is ChannelState.OFFERED


def test_a_machine_that_is_off_holds_no_channel_and_hears_of_none() -> None:
    guest, relid = opened(VMBUS_DIALECTS[0x20004])  # a version without UNLOAD
    guest.server.power_off()
    assert guest.take() == [CloseRing(relid)]
    assert guest.server.session is SessionState.DISCONNECTED
    guest.server.rescind(relid)
    assert guest.server.offer(ONE) != relid
    assert guest.heard() == []


def test_a_relid_that_a_guest_may_remember_is_nobody_elses_while_there_are_others() -> None:
    guest, relid = opened(NEWEST)
    guest.say(header("UNLOAD"))
    guest.server.rescind(relid)
    assert guest.server.state(relid) is ChannelState.GONE
    assert guest.server.offer(ONE) == relid + 1


def test_numbers_begin_again_when_all_have_been_used() -> None:
    guest, relid = connected(NEWEST, ONE), 1
    for _ in range(MAX_CHANNELS):
        guest.contact(NEWEST)
        guest.ask_for_offers()
        relid = relid % MAX_CHANNELS + 1
        assert guest.server.state(RelId(relid)) is ChannelState.OFFERED


@pytest.mark.parametrize("answer", UnknownGpadl)
def test_a_gpadl_for_a_relid_that_nobody_has_is_refused_or_left_unanswered(
    answer: UnknownGpadl,
) -> None:
    guest = connected(NEWEST, ONE, unknown_gpadl=answer)
    header_of_nobody = gpadl_header(RelId(0xFFFF_FFFF))
    if answer is UnknownGpadl.REFUSED:
        guest.say(header_of_nobody)
        assert guest.reply().creation_status
        return
    with pytest.raises(RemoteProtocolError, match="unknown channel"):
        guest.say(header_of_nobody)


@every_version
def test_a_channel_is_moved_to_another_processor_where_the_version_has_it(
    dialect: VmbusDialect,
) -> None:
    guest, relid = opened(dialect)
    move = VmbusChannelModifychannel(child_relid=relid, target_vp=3)
    if not dialect.modify_channel:
        with pytest.raises(RemoteProtocolError, match="MODIFYCHANNEL at version"):
            guest.say(move)
        assert guest.server.event_target(relid) == 0
        return
    assert guest.say(move)[0] == ChannelRetargeted(relid, VpIndex(3))
    assert guest.server.event_target(relid) == 3
    if dialect.modify_channel_response:
        reply = guest.reply()
        assert isinstance(reply, VmbusChannelModifychannelResponse)
        assert (reply.child_relid, reply.status) == (relid, 0)
    else:
        assert guest.heard() == []


def test_a_channel_does_not_move_to_a_processor_that_is_not_there() -> None:
    guest, relid = opened()
    guest.say(VmbusChannelModifychannel(child_relid=relid, target_vp=77))
    assert guest.reply().status == BAD
    assert guest.server.event_target(relid) == 0


def test_an_offer_made_later_is_sent_at_once() -> None:
    guest = connected(NEWEST, ONE)
    second = guest.server.offer(TWO)
    guest.take()
    assert guest.reply().child_relid == second == 2


def test_a_guest_that_comes_again_finds_everything_as_at_first() -> None:
    guest, relid = opened()
    rescinded = guest.server.offer(TWO)
    guest.server.rescind(rescinded)
    guest.take()
    guest.contact(VMBUS_DIALECTS[0x40000])  # a crash kernel, without UNLOAD
    assert guest.effects[:2] == [CloseRing(relid), ChannelFreed(rescinded)]
    assert guest.server.session is SessionState.CONNECTED
    assert guest.server.state(relid) is ChannelState.UNOFFERED
    assert guest.ask_for_offers() == ["OFFERCHANNEL", "ALLOFFERS_DELIVERED"]


def test_the_guest_may_poll_instead_of_being_interrupted() -> None:
    guest, relid = opened(target_vp=INTERRUPTS_DISABLED)
    assert guest.server.event_target(relid) is None
    assert guest.server.signalled(ConnectionId(0x2000 + relid)) == relid


def test_a_released_channel_that_was_not_rescinded_waits_for_the_next_connection() -> None:
    guest = connected(NEWEST, ONE)
    assert guest.say(VmbusChannelRelidReleased(child_relid=1)) == []
    assert guest.server.state(RelId(1)) is ChannelState.UNOFFERED
    guest.contact()
    assert guest.ask_for_offers() == ["OFFERCHANNEL", "ALLOFFERS_DELIVERED"]


# --- contact ------------------------------------------------------------------------------------


def test_an_unknown_version_is_refused_and_a_known_one_may_follow() -> None:
    guest = Guest(VmbusServer(VPS))
    guest.say(VmbusChannelInitiateContact(vmbus_version_requested=0x60000, interrupt_page=2))
    assert guest.reply() == VmbusChannelVersionResponse(version_supported=0)
    assert guest.server.session is SessionState.DISCONNECTED
    assert guest.contact().version_supported == 1


def test_an_older_host_knows_no_newer_version_and_no_newer_connection_id() -> None:
    old = {number: VMBUS_DIALECTS[number] for number in (0x20004, 0x30000, 0x40000)}
    server = VmbusServer(VPS, dialects=old)
    assert [server.hears(ConnectionId(number), b"") for number in (1, 4)] == [True, False]
    assert Guest(server).contact().version_supported == 0
    assert Guest(server).contact(VMBUS_DIALECTS[0x40000]).version_supported == 1
    assert all(VmbusServer(VPS).hears(ConnectionId(number), b"") for number in (1, 4))


def test_a_host_that_names_a_connection_hears_there_and_contacts_elsewhere() -> None:
    named, of_contacts = ConnectionId(7), ConnectionId(4)
    server = VmbusServer(VPS, message_connection_id=named)
    contact = VmbusChannelInitiateContact(vmbus_version_requested=NEWEST.version).build()
    ask = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS).build()
    assert Guest(server).contact().msg_conn_id == named
    assert [server.hears(named, each) for each in (contact, ask)] == [False, True]
    assert [server.hears(of_contacts, each) for each in (contact, ask)] == [True, False]


def test_what_a_host_before_5_0_answers_names_no_connection() -> None:
    server = VmbusServer(VPS, message_connection_id=7)
    assert Guest(server).contact(VMBUS_DIALECTS[0x40000]).msg_conn_id != 7
    assert server.hears(ConnectionId(1), b"")


@pytest.mark.parametrize("interrupt_page", [0, 3, 0x0102])
def test_messages_to_another_sint_or_trust_level_are_refused(interrupt_page: int) -> None:
    guest = Guest(VmbusServer(VPS))
    assert guest.contact(interrupt_page=interrupt_page).version_supported == 0
    old = VMBUS_DIALECTS[0x40001]  # there the word is an address, which nobody uses from 2.4 on
    assert guest.contact(old, interrupt_page=interrupt_page).version_supported == 1


def test_messages_cannot_go_to_a_processor_that_is_not_there() -> None:
    with pytest.raises(RemoteProtocolError, match="VP 9"):
        Guest(VmbusServer(VPS)).contact(target_vcpu=9)


# --- GPADLs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pages", [4, 26, 27, 54, 55, 2000])
def test_a_list_of_any_length_is_collected_from_header_and_bodies(pages: int) -> None:
    guest = connected(NEWEST, ONE)
    numbers = list(range(0x20000, 0x20000 + pages))
    guest.say(gpadl_header(1, pages=pages))
    for start in range(26, pages, 28):
        assert guest.heard() == []
        guest.say(VmbusChannelGpadlBody(gpadl=GPADL, pfn=tuple(numbers[start : start + 28])))
    assert guest.reply() == VmbusChannelGpadlCreated(child_relid=1, gpadl=GPADL)
    (ring,) = guest.open(1, downstream_ringbuffer_pageoffset=pages - 2)
    assert isinstance(ring, OpenRing)
    assert ring.pages == tuple(number * 4096 for number in numbers)


def test_bodies_of_two_lists_may_be_mixed() -> None:
    guest = connected(NEWEST, ONE, TWO)
    guest.say(gpadl_header(1, 100, pages=27))
    guest.say(gpadl_header(2, 200, pages=27))
    guest.say(VmbusChannelGpadlBody(gpadl=100, pfn=(0x2001A,)))
    assert guest.reply().child_relid == 1
    guest.say(VmbusChannelGpadlBody(gpadl=200, pfn=(0x2001A,)))
    assert guest.reply().child_relid == 2


NONSENSE = {
    "no range": {"rangecount": 0},
    "more ranges than words": {"rangecount": 2},
    "odd length": {"range_buflen": 84},
    "fewer words than come": {"range_buflen": 80},
    "too few pages for the bytes": {"range": (GpaRange(byte_count=81920, pfn_array=(1,) * 10),)},
    "too many pages for the bytes": {"range": (GpaRange(byte_count=4096, pfn_array=(1,) * 10),)},
    "empty": {"range": (GpaRange(byte_count=0, pfn_array=(1,) * 10),)},
    "offset beyond the first page": {
        "range": (GpaRange(byte_count=4096, byte_offset=36864, pfn_array=(1,) * 10),)
    },
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE)
def test_a_list_that_makes_no_sense_is_answered_with_a_failure(change: dict[str, Any]) -> None:
    guest = connected(NEWEST, ONE)
    fields = {"child_relid": 1, "gpadl": GPADL, "range_buflen": 88, "rangecount": 1}
    ranges = {"range": (GpaRange(byte_count=40960, pfn_array=(1,) * 10),)}
    guest.say(VmbusChannelGpadlHeader(**fields | ranges | change))
    assert guest.reply().creation_status == BAD
    assert guest.establish_gpadl(1).creation_status == 0  # the handle is free


def test_a_body_too_many_spoils_the_list() -> None:
    guest = connected(NEWEST, ONE)
    guest.say(gpadl_header(1, pages=27))
    guest.say(VmbusChannelGpadlBody(gpadl=GPADL, pfn=(1, 2)))
    assert guest.reply().creation_status == BAD
    with pytest.raises(RemoteProtocolError, match="wants none"):
        guest.say(VmbusChannelGpadlBody(gpadl=GPADL, pfn=(1,)))


def test_a_list_that_a_body_has_spoiled_is_no_channels_any_more() -> None:
    guest = connected(NEWEST, ONE, TWO)
    for _ in range(3):
        guest.say(gpadl_header(1, pages=27))
        guest.say(VmbusChannelGpadlBody(gpadl=GPADL, pfn=(1, 2)))
    assert (guest.server.lists_held, guest.server.lists_named) == (0, 0)
    guest.establish_gpadl(2)  # the handle is another channel's now
    guest.open(2)
    guest.server.rescind(RelId(1))
    guest.say(VmbusChannelRelidReleased(child_relid=1))
    assert guest.server.lists_held == 1


def test_a_handle_in_use_is_not_given_again() -> None:
    guest = connected(NEWEST, ONE, TWO)
    guest.establish_gpadl(1)
    assert guest.establish_gpadl(2).creation_status == BAD
    guest.open(1)
    assert isinstance(guest.effects[0], OpenRing)


def test_one_list_may_hold_several_ranges_but_no_ring() -> None:
    guest = connected(NEWEST, ONE)
    words = (1, 2, 4096 | 8 << 32, 7, 9)  # two pages; then 4,096 bytes from byte 8, over two pages
    guest.say(
        VmbusChannelGpadlHeader(
            child_relid=1,
            gpadl=GPADL,
            range_buflen=48,
            rangecount=2,
            range=(GpaRange(byte_count=8192, pfn_array=words),),
        )
    )
    assert guest.reply().creation_status == 0
    guest.open(1)
    assert guest.reply().status == BAD


def test_an_open_ring_is_not_torn_down() -> None:
    guest, relid = opened()
    with pytest.raises(RemoteProtocolError, match="TEARDOWN in state RING"):
        guest.say(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=GPADL))
    assert guest.server.state(relid) is ChannelState.OPEN


def test_only_the_channel_that_made_a_list_tears_it_down() -> None:
    guest = connected(NEWEST, ONE, TWO)
    guest.establish_gpadl(1)
    with pytest.raises(RemoteProtocolError, match="channel 2 has no GPADL"):
        guest.say(VmbusChannelGpadlTeardown(child_relid=2, gpadl=GPADL))


# --- open ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"ringbuffer_gpadlhandle": 5},
        {"downstream_ringbuffer_pageoffset": 1},
        {"downstream_ringbuffer_pageoffset": 9},
        {"target_vp": 4},
    ],
    ids=str,
)
def test_an_open_that_makes_no_sense_fails_and_may_be_tried_again(change: dict[str, int]) -> None:
    guest = connected(NEWEST, ONE)
    guest.establish_gpadl(1)
    guest.open(1, **change)
    assert guest.reply() == VmbusChannelOpenResult(child_relid=1, openid=1, status=BAD)
    assert guest.server.state(RelId(1)) is ChannelState.OFFERED
    assert isinstance(guest.open(1)[0], OpenRing)


def test_a_device_may_refuse_to_open_and_leaves_the_list_to_the_guest() -> None:
    guest = connected(NEWEST, ONE)
    guest.establish_gpadl(1)
    guest.open(1, openid=99)
    guest.server.opened(RelId(1), -5)
    guest.take()
    assert guest.reply() == VmbusChannelOpenResult(child_relid=1, openid=99, status=0xFFFFFFFB)
    guest.say(VmbusChannelGpadlTeardown(child_relid=1, gpadl=GPADL))
    assert guest.heard() == ["GPADL_TORNDOWN"]


def test_a_closed_channel_opens_again_over_the_same_list() -> None:
    guest, relid = opened()
    guest.say(VmbusChannelCloseChannel(child_relid=relid))
    assert isinstance(guest.open(relid)[0], OpenRing)


# --- rescind ------------------------------------------------------------------------------------


@pytest.mark.wire_note("1.7c")
def test_what_crosses_a_rescind_changes_nothing() -> None:
    guest = connected(NEWEST, ONE)
    server, relid = guest.server, RelId(1)
    server.rescind(relid)
    assert guest.take()
    assert guest.establish_gpadl(relid).creation_status == 0  # OpenVMM accepts it too
    assert guest.open(relid) == []
    assert guest.say(VmbusChannelModifychannel(child_relid=relid, target_vp=1)) == []
    assert guest.say(VmbusChannelCloseChannel(child_relid=relid)) == []
    guest.say(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=GPADL))
    assert guest.heard() == ["GPADL_TORNDOWN"]
    assert guest.say(VmbusChannelRelidReleased(child_relid=relid)) == [ChannelFreed(relid)]


def test_a_rescind_can_go_to_another_processor_as_well() -> None:
    guest = connected(NEWEST, ONE, rescinds_also_to=VPS[-1:])
    guest.server.rescind(RelId(1))
    first, second = guest.take()
    assert isinstance(first, PostToGuest)
    assert isinstance(second, PostToGuest)
    assert first.payload == second.payload
    assert second.vp == VPS[-1] != first.vp


def test_a_host_may_never_come_to_answering_unload() -> None:
    guest = connected(NEWEST, ONE, unload_ignored=True)
    assert guest.say(header("UNLOAD")) == []
    assert guest.server.state(RelId(1)) is ChannelState.OFFERED
    guest.contact()  # a crash kernel: that ends the connection there was
    assert guest.server.state(RelId(1)) is ChannelState.UNOFFERED


def test_a_relid_is_held_from_its_offer_until_the_guest_releases_it() -> None:
    guest = connected(NEWEST, ONE)
    assert guest.server.held_relids() == {1}
    guest.server.rescind(RelId(1))
    assert guest.server.held_relids() == {1}
    guest.say(VmbusChannelRelidReleased(child_relid=1))
    assert guest.server.held_relids() == frozenset()


def test_an_open_channel_that_is_rescinded_loses_its_ring_first() -> None:
    guest, relid = opened()
    guest.server.rescind(relid)
    assert guest.take()[0] == CloseRing(relid)
    assert guest.heard() == ["RESCIND_CHANNELOFFER"]
    assert guest.server.signalled(ConnectionId(0x2000 + relid)) is None
    assert guest.say(VmbusChannelCloseChannel(child_relid=relid)) == []
    assert guest.say(VmbusChannelRelidReleased(child_relid=relid)) == [ChannelFreed(relid)]


def test_the_answer_to_an_open_may_come_after_the_rescind() -> None:
    guest = connected(NEWEST, ONE)
    guest.establish_gpadl(1)
    guest.open(1)
    guest.server.rescind(RelId(1))
    assert guest.take()[0] == CloseRing(RelId(1))
    guest.server.opened(RelId(1))
    assert guest.take() == []


def test_the_answer_to_an_open_may_come_after_the_guest_has_gone() -> None:
    guest = connected(NEWEST, ONE)
    guest.establish_gpadl(1)
    guest.open(1)
    guest.say(header("UNLOAD"))
    guest.server.opened(RelId(1))
    assert guest.take() == []
    assert guest.server.state(RelId(1)) is ChannelState.UNOFFERED


def test_what_the_guest_never_heard_of_goes_silently() -> None:
    server = VmbusServer(VPS)
    relid = server.offer(ONE)
    server.rescind(relid)
    assert server.take_effects() == [ChannelFreed(relid)]
    assert server.offer(TWO) == relid  # the lowest free relid is given


def test_an_instance_is_offered_again_once_the_guest_has_released_it() -> None:
    guest = connected(NEWEST, ONE)
    guest.server.rescind(RelId(1))
    again = guest.server.offer(ONE)
    assert again == 2
    guest.take()
    assert guest.heard() == ["RESCIND_CHANNELOFFER"]
    guest.say(VmbusChannelRelidReleased(child_relid=1))
    assert guest.effects[0] == ChannelFreed(RelId(1))
    assert guest.reply().child_relid == again


def test_an_instance_is_offered_again_at_once_where_the_host_does_so() -> None:
    guest = connected(NEWEST, ONE, reoffer=Reoffer.AT_ONCE)
    guest.server.rescind(RelId(1))
    guest.server.offer(ONE)
    guest.take()
    assert guest.heard() == ["RESCIND_CHANNELOFFER", "OFFERCHANNEL"]
    guest.say(VmbusChannelRelidReleased(child_relid=1))
    with pytest.raises(LocalProtocolError, match="as 2 already"):
        guest.server.offer(ONE)


def test_an_offer_that_waits_can_be_taken_back_and_made_again() -> None:
    guest = connected(NEWEST, ONE)
    guest.server.rescind(RelId(1))
    waiting = guest.server.offer(ONE)
    guest.server.rescind(waiting)
    assert guest.take()[1:] == [ChannelFreed(waiting)]
    assert guest.server.offer(ONE) == waiting
    guest.say(VmbusChannelRelidReleased(child_relid=1))
    assert guest.reply().child_relid == waiting


def test_an_offer_that_waits_need_not_wait_for_a_guest_that_has_gone() -> None:
    guest = connected(NEWEST, ONE)
    guest.server.rescind(RelId(1))
    waiting = guest.server.offer(ONE)
    guest.take()
    guest.contact()
    assert guest.ask_for_offers() == ["OFFERCHANNEL", "ALLOFFERS_DELIVERED"]
    assert guest.server.state(waiting) is ChannelState.OFFERED


# --- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "offers asked for before contact": ("DISCONNECTED", header("REQUESTOFFERS")),
    "unload before contact": ("DISCONNECTED", header("UNLOAD")),
    "a channel message before offers": ("CONNECTED", open_channel(1)),
    "offers asked for twice": ("OFFERING", header("REQUESTOFFERS")),
    "an unknown channel": ("OFFERING", open_channel(7)),
    "close of a closed channel": ("OFFERING", VmbusChannelCloseChannel(child_relid=1)),
    "modify of a closed channel": ("OFFERING", VmbusChannelModifychannel(child_relid=1)),
    "a body without a header": ("OFFERING", VmbusChannelGpadlBody(gpadl=3, pfn=(1,))),
    "teardown of nothing": ("OFFERING", VmbusChannelGpadlTeardown(child_relid=1, gpadl=3)),
    "open of an open channel": ("OPEN", open_channel(1)),
    "release of an open channel": ("OPEN", VmbusChannelRelidReleased(child_relid=1)),
}


@pytest.mark.parametrize(("stage", "message"), REFUSED.values(), ids=REFUSED)
def test_a_message_out_of_order_is_refused_and_changes_nothing(
    stage: str, message: WireRecord
) -> None:
    if stage == "OPEN":
        guest, _ = opened()
    else:
        guest = Guest(VmbusServer(VPS))
        guest.server.offer(ONE)
        if stage != "DISCONNECTED":
            guest.contact()
        if stage == "OFFERING":
            guest.ask_for_offers()
    before = guest.server.session, guest.server.state(RelId(1))
    with pytest.raises(RemoteProtocolError):
        guest.say(message)
    assert (guest.server.session, guest.server.state(RelId(1))) == before
    assert guest.take() == []


@pytest.mark.parametrize("kind", [0, 1, 2, 4, 6, 10, 12, 15, 17, 18, 24, 25, 99])
def test_messages_that_no_guest_sends_are_refused(kind: int) -> None:
    guest = connected()
    with pytest.raises(RemoteProtocolError, match="no message to a host"):
        guest.server.post_message(kind.to_bytes(4, "little") + bytes(200))


@pytest.mark.parametrize("kind", [5, 7, 8, 9, 11, 13, 14, 22])
def test_a_message_cut_short_is_refused(kind: int) -> None:
    guest = connected()
    with pytest.raises(WireFormatError):
        guest.server.post_message(kind.to_bytes(4, "little") + bytes(3))


def test_the_host_cannot_do_what_makes_no_sense() -> None:
    guest, relid = opened()
    server = guest.server
    for mistake in (
        lambda: server.offer(ONE),
        lambda: server.opened(relid),
        lambda: server.opened(RelId(9)),
        lambda: server.rescind(RelId(9)),
    ):
        with pytest.raises(LocalProtocolError):
            mistake()
    server.rescind(relid)
    with pytest.raises(LocalProtocolError):
        server.rescind(relid)


def test_there_are_as_many_channels_as_event_flags() -> None:
    server = VmbusServer(VPS)
    for number in range(MAX_CHANNELS):
        server.offer(Offer(UUID(int=number)))
    with pytest.raises(LocalProtocolError, match="all 2047 relids"):
        server.offer(ONE)
    server.rescind(RelId(2000))
    assert server.offer(ONE) == 2000


# --- any story ----------------------------------------------------------------------------------

CONTACT = VmbusChannelInitiateContact(vmbus_version_requested=0x50003, interrupt_page=2)
REFUSED_CONTACT = VmbusChannelInitiateContact(vmbus_version_requested=0x60000, interrupt_page=2)
OFFERS = header("REQUESTOFFERS")


def pieces_of(relid: int) -> list[list[Any]]:
    """Sensible pieces of a channel's life, and their single steps."""
    opening = [
        gpadl_header(relid, GPADL + relid),
        open_channel(relid, ringbuffer_gpadlhandle=GPADL + relid),
        ("opened", relid),
    ]
    closing = [
        VmbusChannelCloseChannel(child_relid=relid),
        VmbusChannelGpadlTeardown(child_relid=relid, gpadl=GPADL + relid),
    ]
    leaving = [("rescind", relid), closing[0], VmbusChannelRelidReleased(child_relid=relid)]
    moving = VmbusChannelModifychannel(child_relid=relid, target_vp=2)
    steps = [*opening, *closing, *leaving, moving]
    return [opening, opening[:2], closing, leaving, *([step] for step in steps)]


PIECES = st.sampled_from(
    [
        [CONTACT, OFFERS],
        [header("UNLOAD"), CONTACT, OFFERS],
        [REFUSED_CONTACT],
        [("offer", ONE)],
        [("offer", TWO)],
        *pieces_of(1),
        *pieces_of(2),
    ]
)


def judge(server: VmbusServer, mapped: set[RelId], known: set[RelId]) -> None:
    """Carry the effects into the two sets, and refuse what cannot be."""
    for effect in server.take_effects():
        match effect:
            case OpenRing(relid=relid):
                assert relid not in mapped
                mapped.add(relid)
            case CloseRing(relid=relid):
                mapped.remove(relid)
            case ChannelFreed(relid=relid):
                assert relid not in mapped
                known.discard(relid)
            case PostToGuest(payload=payload) if message_name(payload) == "OFFERCHANNEL":
                known.add(RelId(VmbusChannelOfferChannel.parse(payload).child_relid))
            case ChannelRetargeted(relid=relid):
                assert server.event_target(relid) == 2
    for relid in (RelId(1), RelId(2)):
        state = server.state(relid)
        assert relid in known or state in (ChannelState.UNOFFERED, ChannelState.GONE)
        assert (relid in mapped) == (state in (ChannelState.OPENING, ChannelState.OPEN))


@given(st.lists(PIECES, min_size=10, max_size=60))
@settings(deadline=None)
def test_whatever_happens_rings_open_and_close_in_turn(story: list[list[Any]]) -> None:
    server = connected(NEWEST, ONE).server
    mapped: set[RelId] = set()
    known = {RelId(1)}
    for event in chain(*story):
        with suppress(RemoteProtocolError, LocalProtocolError):
            if isinstance(event, tuple):
                getattr(server, event[0])(event[1])
            else:
                server.post_message(event.build())
        judge(server, mapped, known)
