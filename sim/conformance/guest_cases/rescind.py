# SPDX-License-Identifier: MIT
"""The host takes an offer back: what a guest still does, and what it stops doing."""

from __future__ import annotations

from typing import Final

from host.events import ChannelOpened, Rescinded
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import premise, published, since
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    RESCIND,
    SETTLED_NS,
    administrator,
    after,
    do,
    knobs,
    wait,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

M = MessageType
CLOSE: Final = ChannelMessageType.CHANNELMSG_CLOSECHANNEL
RELEASED: Final = ChannelMessageType.CHANNELMSG_RELID_RELEASED
SECOND_NS: Final = 1_000_000_000


def taken_back(seen: Seen) -> Stamped:
    """The rescind as the guest gets it."""
    found = seen.posted(ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER, "host-to-guest")
    premise(found, "a rescind")
    return found[0]


def relid_given_back(seen: Seen) -> None:
    taken_back(seen)
    if not seen.posted(RELEASED):
        raise Nonconforming("RELID_RELEASED was not sent")


def silent(seen: Seen) -> None:
    message = taken_back(seen)
    for seq, packet in published(seen):
        if seq > message.seq:
            raise Nonconforming(f"a packet of type {packet.packet_type} was sent", seq)


def closed_without_teardown(seen: Seen) -> None:
    message = taken_back(seen)
    torn = seen.posted(ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN)
    if torn:
        raise Nonconforming("a GPADL was torn down that the host has forgotten", torn[0].seq)
    if not seen.posted(CLOSE):
        raise Nonconforming("the channel was not closed", message.seq)


def taken_up_again(seen: Seen) -> None:
    premise(seen.events(Rescinded), "a rescind")
    offered = seen.posted(ChannelMessageType.CHANNELMSG_OFFERCHANNEL, "host-to-guest")
    premise(len(offered) > 1, "a second offer")
    opened = seen.events(ChannelOpened)
    if len(opened) < 2:
        raise Nonconforming("the second offer was not opened", offered[1].seq)
    again = opened[1][0]
    if not since(seen.sent(M.PCI_QUERY_PROTOCOL_VERSION), again):
        raise Nonconforming("no version was asked for on the second channel")


CASES: Final = (
    GuestCase(
        id="relid-given-back",
        strength="must",
        given="A guest at work",
        when="the host takes the offer back",
        then="the guest posts RELID_RELEASED, so that the host may use the number again",
        source="channel_mgmt.c vmbus_onoffer_rescind(), vmbus_release_relid()",
        scenario=RESCIND,
        check=relid_given_back,
    ),
    GuestCase(
        id="silent-after-rescind",
        strength="must",
        given="A guest at work",
        when="the host has taken the offer back",
        then="the guest writes nothing into the ring any more",
        source="pci-hyperv.c hv_pci_bus_exit(): the host no longer looks",
        scenario=RESCIND,
        check=silent,
    ),
    GuestCase(
        id="second-offer-taken-up",
        strength="must",
        given="A guest that has lost its device to a rescind",
        when="the host offers the same instance again",
        then="the guest opens the new channel and asks for a version",
        source="channel_mgmt.c vmbus_onoffer(); openvmm VSP after a restore",
        scenario=knobs(reoffer='"at-once"')
        + administrator(
            ASSIGNED, do("rescind"), after(SETTLED_NS), do("reoffer"), after(SETTLED_NS)
        ),
        check=taken_up_again,
    ),
    GuestCase(
        id="rescind-without-teardown",
        strength="linux",
        given="A guest at work",
        when="the host has taken the offer back",
        then="it posts CLOSECHANNEL and no GPADL_TEARDOWN",
        source="channel.c vmbus_close_internal(), vmbus_teardown_gpadl()",
        scenario=RESCIND,
        check=closed_without_teardown,
    ),
    GuestCase(
        id="rescind-of-a-fresh-offer",
        strength="linux",
        given="A bus that was just offered",
        when="the host takes the offer back at once",
        then="the guest gives the relid back",
        source="channel_mgmt.c vmbus_onoffer_rescind()",
        scenario=administrator(wait("channel-opened", after_ns=0), do("rescind"), after(SECOND_NS)),
        check=relid_given_back,
    ),
)
