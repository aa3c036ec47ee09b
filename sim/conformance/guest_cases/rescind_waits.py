# SPDX-License-Identifier: MIT
"""The host takes an offer back while a guest waits for it: that ends the wait, and how soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import CREATE, premise
from sim.conformance.guest_cases.rescind import CLOSE, RELEASED, SECOND_NS, taken_back
from sim.conformance.guest_cases.scenarios import (
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    knobs,
    slow_messages,
)
from sim.conformance.seen import Seen
from sim.trace import Stamped

M = MessageType
OPEN: Final = ChannelMessageType.CHANNELMSG_OPENCHANNEL
RELID: Final = slice(8, 12)  # behind the message's head
SLOW_NS: Final = 10_000_000  # of each control message
OPENING_NS: Final = 3 * SLOW_NS + SLOW_NS // 2  # contact, offers and GPADL have been answered
LOOKS_NS: Final = 2_000_000  # two of them
SOON_NS: Final = 2_000_000  # a guest waits by then, and has not polled too often
NOTICED_NS: Final = 200_000_000  # the flag is looked at every 100 ms
WAIT: Final = "pci-hyperv.c wait_for_response()"
WHILE_OPENING: Final = (
    knobs(reoffer='"at-once"')
    + slow_messages(SLOW_NS)
    + administrator(
        after(OPENING_NS), do("rescind"), after(SECOND_NS), do("reoffer"), after(SETTLED_NS)
    )
)
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


def stops_waiting_for(*asked: MessageType) -> Callable[[Seen], None]:
    """Whether it gives up waiting for the answer to one of these, which it has sent by then."""

    def check(seen: Seen) -> None:
        message = taken_back(seen)
        premise([p for p in seen.sent(*asked) if p.seq < message.seq], "asking for what is awaited")
        if not [s for s in (*seen.posted(CLOSE), *seen.posted(RELEASED)) if s.seq > message.seq]:
            raise Nonconforming("it waits for an answer that cannot come any more", message.seq)

    return check


def taken_back_while_opening(seen: Seen) -> Stamped:
    """The rescind, of a channel whose open was not answered."""
    message = taken_back(seen)
    asked = seen.posted(OPEN)
    premise(asked and asked[0].seq < message.seq, "opening the channel by then")
    return message


def released_soon(seen: Seen) -> None:
    message = taken_back_while_opening(seen)
    released = seen.posted(RELEASED)
    premise(released, "giving the relid back")
    waited_ns = released[0].at_ns - message.at_ns
    if waited_ns > LOOKS_NS:
        raise Nonconforming(f"it gave the relid back after {waited_ns} ns", released[0].seq)


def gets_on(seen: Seen) -> None:
    """Whether it gives the relid back or opens another: to open this one again is no progress."""
    message = taken_back_while_opening(seen)
    gone = _relid_of(message)
    released = [s.seq for s in seen.posted(RELEASED) if _relid_of(s) == gone]
    opened = [s.seq for s in seen.posted(OPEN) if _relid_of(s) != gone]
    if all(seq < message.seq for seq in (*released, *opened)):
        raise Nonconforming("it waits for an answer that cannot come any more", message.seq)


def _relid_of(message: Stamped) -> bytes:
    """That of a RESCIND_CHANNELOFFER, RELID_RELEASED or OPENCHANNEL: all have it in one place."""
    assert isinstance(message.event, MessagePosted), "a control message was looked for"
    return message.event.payload[RELID]


def noticed_soon(seen: Seen) -> None:
    message = taken_back(seen)
    closed = [s for s in seen.posted(CLOSE) if s.seq > message.seq]
    if not closed or closed[0].at_ns - message.at_ns > NOTICED_NS:
        raise Nonconforming("it went on waiting for more than 200 ms", message.seq)


CASES: Final = (
    GuestCase(
        id="rescind-ends-a-wait",
        strength="must",
        given="A guest that waits for the answer to D0 entry",
        when="the host takes the offer back instead of answering",
        then="the guest waits no longer and closes the channel",
        source=f"{WAIT}; commit c3635da2a336",
        scenario=rescinded_while_silent(M.PCI_BUS_D0ENTRY),
        check=stops_waiting_for(M.PCI_BUS_D0ENTRY),
    ),
    GuestCase(
        id="rescind-ends-an-open",
        strength="must",
        about="vmbus",
        given="A guest that waits for the answer to the opening of its channel",
        when="the host takes the offer back, and does not answer any more",
        then="the guest waits no longer and can take up what is offered next",
        source="channel_mgmt.c vmbus_rescind_cleanup(): it wakes who waits for the channel",
        scenario=WHILE_OPENING,
        check=gets_on,
    ),
    GuestCase(
        id="rescind-looks-every-ms",
        strength="linux",
        about="vmbus",
        given="A guest that waits for the answer to the opening of its channel",
        when="the host takes the offer back, and does not answer any more",
        then="the relid is back within 2 ms: each ms it is looked whether the probe has ended",
        source="channel_mgmt.c vmbus_onoffer_rescind(): probe_done, msleep(1)",
        scenario=WHILE_OPENING,
        check=released_soon,
    ),
    GuestCase(
        id="rescind-ends-a-poll",
        strength="must",
        given="A guest that waits for an interrupt to be created",
        when="the host takes the offer back instead of answering",
        then="the guest waits no longer and closes the channel",
        source="pci-hyperv.c hv_compose_msi_msg(): hv_pcifront_get_vendor_id(), `rescind`",
        scenario=BARE + rescinded_while_silent(*CREATE, device="card0"),
        check=stops_waiting_for(*CREATE),
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
        check=stops_waiting_for(M.PCI_QUERY_RESOURCE_REQUIREMENTS),
    ),
)
