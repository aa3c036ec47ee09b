# SPDX-License-Identifier: MIT
"""After the rescind flag the guest is silent on the ring, but for whoever was writing just then."""

from __future__ import annotations

from guest.events import RescindFlagRaised
from host.events import ChannelOffered
from protocol.link import MessagePosted
from protocol.vpci import MessageType
from sim.oracles.laws.silence_after_rescind import SilenceAfterRescind
from tests.sim.oracles.laws.tale import BUS, RELID, At, broken, from_host, holds, message, request

FLAG = (At(0, "work/0:rescind"), RescindFlagRaised(RELID))
PROBE = At(0, "thread/1:probe")


def test_whoever_set_the_flag_may_not_publish() -> None:
    violation = broken(SilenceAfterRescind, *FLAG, message(MessageType.PCI_BUS_D0EXIT))
    assert violation.kind == "protocol"
    assert violation.context == "work/0:rescind"


def test_who_was_publishing_when_the_flag_went_up_may_finish() -> None:
    assert holds(SilenceAfterRescind, PROBE, request(1), *FLAG, PROBE, request(2))


def test_who_has_finished_sees_the_flag_before_the_next_packet() -> None:
    assert (
        broken(SilenceAfterRescind, *FLAG, PROBE, request(1), request(2)).context == PROBE.context
    )


def test_control_messages_and_what_the_host_sent_before_are_lawful() -> None:
    closed = MessagePosted("guest-to-host", b"CLOSECHANNEL")
    assert holds(SilenceAfterRescind, *FLAG, closed, from_host(MessageType.PCI_EJECT))


def test_other_channels_go_on() -> None:
    assert holds(SilenceAfterRescind, *FLAG, request(1, relid=2), request(1, relid=2))


def test_the_next_channel_of_that_number_is_another_one() -> None:
    assert holds(SilenceAfterRescind, *FLAG, ChannelOffered(BUS, RELID), request(1), request(2))
