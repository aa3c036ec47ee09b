# SPDX-License-Identifier: MIT
"""The host takes an offer back: what a guest still does, and what it stops doing."""

from __future__ import annotations

from typing import Final

from host.events import ChannelOpened, Rescinded
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import CREATE, premise, published, since
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    RESCIND,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    knobs,
    slow_messages,
    wait,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

M = MessageType
CLOSE: Final = ChannelMessageType.CHANNELMSG_CLOSECHANNEL
RELEASED: Final = ChannelMessageType.CHANNELMSG_RELID_RELEASED
SECOND_NS: Final = 1_000_000_000
SLOW_NS: Final = 10_000_000  # of each control message
OPENING_NS: Final = 3 * SLOW_NS + SLOW_NS // 2  # contact, offers and GPADL have been answered
SOON_NS: Final = 2_000_000  # a guest waits by then, and has not polled too often
NOTICED_NS: Final = 200_000_000  # the flag is looked at every 100 ms
WAIT: Final = "pci-hyperv.c wait_for_response()"
# A function without registers: its driver waits for no interrupt, as a disk's would for a minute.
BARE: Final = """
[[device]]
name = "card0"
profile = "no-bars"
"""


def rescinded_while_silent(*messages: MessageType, device: str = "nvme0") -> str:
    """A host that does not answer these, and takes its offer back a while later."""
    ignored = [do("ignore-next", device, message=message.name) for message in messages]
    steps = (*ignored, after(SOON_NS), do("rescind", device), after(SECOND_NS))
    return actor("administrator", do("offer", device), *steps)


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


def lets_go(seen: Seen) -> None:
    message = taken_back(seen)
    if not [s for s in (*seen.posted(CLOSE), *seen.posted(RELEASED)) if s.seq > message.seq]:
        raise Nonconforming("it waits for an answer that cannot come any more", message.seq)


def gets_on(seen: Seen) -> None:
    """Whether by giving the relid back or by taking the next offer up, it says something."""
    message = taken_back(seen)
    asked = seen.posted(ChannelMessageType.CHANNELMSG_OPENCHANNEL)
    premise(asked and asked[0].seq < message.seq, "opening the channel by then")
    posted = seen.events(MessagePosted)
    if all(each.direction == "host-to-guest" for seq, each in posted if seq > message.seq):
        raise Nonconforming("it waits for an answer that cannot come any more", message.seq)


def closed_without_teardown(seen: Seen) -> None:
    message = taken_back(seen)
    torn = seen.posted(ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN)
    if torn:
        raise Nonconforming("a GPADL was torn down that the host has forgotten", torn[0].seq)
    if not seen.posted(CLOSE):
        raise Nonconforming("the channel was not closed", message.seq)


def noticed_soon(seen: Seen) -> None:
    message = taken_back(seen)
    closed = [s for s in seen.posted(CLOSE) if s.seq > message.seq]
    if not closed or closed[0].at_ns - message.at_ns > NOTICED_NS:
        raise Nonconforming("it went on waiting for more than 200 ms", message.seq)


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
        id="rescind-ends-a-wait",
        strength="must",
        given="A guest that waits for the answer to D0 entry",
        when="the host takes the offer back instead of answering",
        then="the guest waits no longer and closes the channel",
        source=f"{WAIT}; commit c3635da2a336",
        scenario=rescinded_while_silent(M.PCI_BUS_D0ENTRY),
        check=lets_go,
    ),
    GuestCase(
        id="rescind-ends-an-open",
        strength="must",
        given="A guest that waits for the answer to the opening of its channel",
        when="the host takes the offer back, and does not answer any more",
        then="the guest waits no longer and can take up what is offered next",
        source="channel_mgmt.c vmbus_rescind_cleanup(): it wakes who waits for the channel",
        scenario=knobs(reoffer='"at-once"')
        + slow_messages(SLOW_NS)
        + administrator(
            after(OPENING_NS), do("rescind"), after(SECOND_NS), do("reoffer"), after(SETTLED_NS)
        ),
        check=gets_on,
    ),
    GuestCase(
        id="rescind-ends-a-poll",
        strength="must",
        given="A guest that waits for an interrupt to be created",
        when="the host takes the offer back instead of answering",
        then="the guest waits no longer and closes the channel",
        source="pci-hyperv.c hv_compose_msi_msg(): hv_pcifront_get_vendor_id(), `rescind`",
        scenario=BARE + rescinded_while_silent(*CREATE, device="card0"),
        check=lets_go,
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
        id="rescind-noticed-soon",
        strength="linux",
        given="A guest that waits for the answer to D0 entry",
        when="the host takes the offer back instead of answering",
        then="the channel is closed within 200 ms, since the flag is looked at every 100 ms",
        source=WAIT,
        scenario=rescinded_while_silent(M.PCI_BUS_D0ENTRY),
        check=noticed_soon,
    ),
    GuestCase(
        id="rescind-ends-a-survey",
        strength="linux",
        given="A guest that waits for the answer to its resource query",
        when="the host takes the offer back instead of answering",
        then="the guest closes the channel when the worker that asked has given up",
        source="pci-hyperv.c hv_pci_query_relations(): it waits for the queue",
        scenario=rescinded_while_silent(M.PCI_QUERY_RESOURCE_REQUIREMENTS),
        check=lets_go,
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
