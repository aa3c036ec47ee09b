# SPDX-License-Identifier: MIT
"""A world whose guest is in another process: fakes that do one thing, and what becomes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.codec import WireRecord
from protocol.link import MessagePosted, PacketPublished
from protocol.peer_port import (
    DONE_OK,
    Close,
    Done,
    Hypercall,
    HypercallDone,
    MmioRead,
    MmioValue,
    Offered,
    Open,
    Opened,
    Order,
    PacketFrame,
    Released,
    Rescind,
)
from protocol.vmbus import VM_PKT_DATA_INBAND, ChannelMessageType, message_type
from protocol.vpci import PciVersionRequest
from sim.conformance.case import NotOffered
from sim.peer.fault import PeerFault
from sim.peer.remote_guest import RemoteGuests
from sim.scenario_reader import parse_scenario
from sim.world import World
from tests.sim.peer.fake_guests import GuestFake, in_thread

M = ChannelMessageType
DEVICE = '[[device]]\nname = "nvme0"\nprofile = "nvme-ssd"\ndriver = "nvme"\n'
ARRIVAL = '[[actor]]\nname = "admin"\nsteps = [{ do = "offer", device = "nvme0" }]\n'
RESCIND = ARRIVAL.replace("}]", '}, { after_ns = 1000000 }, { do = "rescind", device = "nvme0" }]')
VERSION = PciVersionRequest(protocol_version=0x10004).build()
ASK_VERSION = PacketFrame(1, VM_PKT_DATA_INBAND, 1, 77, VERSION)


def play(steps: str, says: GuestFake, *orders: str) -> World:
    """A scenario against such a guest, played."""
    scenario = parse_scenario(
        f'name = "x"\nstory = "x"\n{DEVICE}{steps}', source="test", folder=Path()
    )
    with in_thread(says, *orders) as peers:
        world = World(scenario, guests=RemoteGuests(peers), laws=())
        world.run()
    return world


def opens(frame: WireRecord) -> list[WireRecord]:
    """Opens what it is offered; closes and releases what is rescinded."""
    if isinstance(frame, Offered):
        return [Open(frame.channel)]
    if isinstance(frame, Rescind):
        return [Close(frame.channel), Released(frame.channel)]
    return []


def test_a_channel_is_opened_and_released_by_real_control_messages() -> None:
    world = play(RESCIND, opens)
    posted = [
        message_type(stamped.event.payload)
        for stamped in world.trace()
        if isinstance(stamped.event, MessagePosted) and stamped.event.direction == "guest-to-host"
    ]
    assert posted[-4:] == [
        M.CHANNELMSG_GPADL_HEADER,
        M.CHANNELMSG_OPENCHANNEL,
        M.CHANNELMSG_CLOSECHANNEL,
        M.CHANNELMSG_RELID_RELEASED,
    ]


def test_packets_go_both_ways_as_they_are_and_time_waits_for_the_peer() -> None:
    heard: list[WireRecord] = []

    def says(frame: WireRecord) -> list[WireRecord]:
        heard.append(frame)
        return [ASK_VERSION] if isinstance(frame, Opened) else opens(frame)

    trace = play(ARRIVAL, says).trace()
    asked, answered = [s.event for s in trace if isinstance(s.event, PacketPublished)]
    assert asked.payload == VERSION
    assert asked.transaction_id == answered.transaction_id == 77
    assert PacketFrame in map(type, heard)


def test_what_the_guest_reads_and_calls_is_answered_at_once() -> None:
    answers: list[WireRecord] = []

    def says(frame: WireRecord) -> list[WireRecord]:
        if isinstance(frame, Opened):
            post_message = Hypercall(6, 0, 0x5C, bytes(16))
            return [MmioRead(5, 4, 0xF800_0000), post_message]
        answers.append(frame)
        return opens(frame)

    play(ARRIVAL, says)
    assert MmioValue(5, 0, 0xFFFF_FFFF) in answers
    assert HypercallDone(6, 0, 6) in answers  # VMBus is not the peer's


def test_orders_reach_a_guest_that_can_and_skip_one_that_cannot() -> None:
    steps = ARRIVAL + (
        '[[actor]]\nname = "user"\nsteps = [{ wait = "channel-opened" },'
        ' { do = "read-block", device = "nvme0", block = 2, size = 8 }]\n'
    )
    words: list[tuple[int, ...]] = []

    def says(frame: WireRecord) -> list[WireRecord]:
        if isinstance(frame, Order):
            words.append(frame.words)
            return [Done(frame.request, DONE_OK)]
        return opens(frame)

    play(steps, says, "read-block")
    assert words == [(0, 2, 8)]
    with pytest.raises(NotOffered, match="cannot be ordered to read-block"):
        play(steps, says)


def test_versions_are_told_to_who_can_be_told() -> None:
    words: list[tuple[int, ...]] = []

    def says(frame: WireRecord) -> list[WireRecord]:
        if isinstance(frame, Order):
            words.append(frame.words)
            return [Done(frame.request, DONE_OK)]
        return opens(frame)

    play('[guest]\nprotocol = ["1.3", "1.1"]\n' + ARRIVAL, says, "offer-versions")
    assert words == [(0x10003, 0x10001)]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ('[[actor]]\nname = "u"\nsteps = [{ do = "crash" }]\n', "cannot be ordered to crash"),
        ('[guest]\nisolation = "cvm"\n', "x86-64, and not isolated"),
        ('[[actor]]\nname = "u"\nsteps = [{ wait = "driver-bound" }]\n', "tells of driver-bound"),
        ('[expect]\nverdict = "EPROTO"\n', "tells of the errors"),
    ],
)
def test_what_cannot_be_put_to_another_process_says_why(steps: str, reason: str) -> None:
    text = f"{ARRIVAL}{steps}" if steps.startswith("[[") else f"{steps}{ARRIVAL}"
    with pytest.raises(NotOffered, match=reason):
        play(text, opens)


def floods(_: WireRecord) -> list[WireRecord]:
    return [MmioRead(1, 4, 0)]


def wrongs() -> Iterator[tuple[str, GuestFake, str]]:
    """Guests that do wrong, each with what is said of it."""
    yield "opens-twice", lambda f: opens(f) * 2, "channel 1 was opened twice"
    yield "no-such-channel", lambda _: [Open(9)], "there is no channel 9"
    yield "closes-closed", lambda _: [Close(1)], "closed and was not open"
    yield "sends-closed", lambda _: [ASK_VERSION], "written to and was not open"
    yield "releases-offered", lambda _: [Released(1)], "released while it was open or offered"
    yield "reads-three-bytes", lambda _: [MmioRead(1, 3, 0)], "an access of 3 bytes"
    yield "calls-from-nowhere", lambda _: [Hypercall(1, 99)], "it has no processor 99"
    yield "offers", lambda _: [Offered(1)], "OFFER was not to come"
    yield "never-ends", floods, "floods"


@pytest.mark.parametrize(
    ("says", "why"), [one[1:] for one in wrongs()], ids=[w[0] for w in wrongs()]
)
def test_a_guest_that_does_wrong_is_a_fault_in_a_line(says: GuestFake, why: str) -> None:
    with pytest.raises(PeerFault, match=why):
        play(ARRIVAL, says)


def test_a_guest_that_never_releases_a_rescinded_channel_is_a_hang() -> None:
    scenario = parse_scenario(
        f'name = "x"\nstory = "x"\n{DEVICE}{RESCIND}', source="test", folder=Path()
    )

    def keeps(frame: WireRecord) -> list[WireRecord]:
        return opens(frame) if isinstance(frame, Offered) else []

    with in_thread(keeps) as peers:
        verdict = World(scenario, guests=RemoteGuests(peers), laws=()).run()
    assert verdict.violation is not None
    assert verdict.violation.kind == "hang"
