# SPDX-License-Identifier: MIT
"""Waiting for an interrupt to be created, where a guest must not sleep and so looks at its ring."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from protocol.link import ConfigRead
from protocol.pci_regs import PCI_VENDOR_ID
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.interrupt_requests import COMPOSE
from sim.conformance.guest_cases.reading import CREATE, premise, wslot_of
from sim.conformance.guest_cases.scenarios import SETTLED_NS, administrator, after, do, wait
from sim.conformance.seen import Seen, SeenPacket

POLL_NS: Final = 100_000
SLACK_NS: Final = 50_000  # what looking itself may take
SLOW_NS: Final = 10_000_000  # a hundred looks
LOOKS_MIN: Final = SLOW_NS // (POLL_NS + SLACK_NS) // 2  # the host was slow before that, too
SLOW: Final = administrator(
    wait("resources-assigned", after_ns=0), do("stall", ns=SLOW_NS), after(SETTLED_NS)
)


def looks_at(seen: Seen, request: SeenPacket, end: int) -> list[int]:
    """When the guest read the vendor id of the function while that request waited, in ns."""
    wanted = wslot_of(request), PCI_VENDOR_ID
    return [
        stamped.at_ns
        for stamped in seen.trace[request.seq : end]
        if isinstance(stamped.event, ConfigRead)
        and (stamped.event.wslot, stamped.event.offset) == wanted
    ]


def looks_at_its_pace(seen: Seen) -> None:
    asked = seen.sent(*CREATE)
    answers = [answer for packet in asked if (answer := seen.answer_to(packet))]
    premise(answers, "an interrupt that was created")
    looks = looks_at(seen, asked[0], answers[0].seq)
    for before, look in pairwise(looks):
        if not POLL_NS <= look - before <= POLL_NS + SLACK_NS:
            raise Nonconforming(f"it looked again after {look - before} ns", asked[0].seq)
    if len(looks) < LOOKS_MIN:
        raise Nonconforming(f"it looked {len(looks)} times", asked[0].seq)


CASES: Final = (
    GuestCase(
        id="interrupt-polled-every-100-us",
        strength="linux",
        given="A host that answers the creation of an interrupt after milliseconds",
        when="the guest waits",
        then="it looks every 100 us, and each time reads the vendor id first",
        source=f"{COMPOSE}: hv_pcifront_get_vendor_id(), udelay(100)",
        scenario=SLOW,
        check=looks_at_its_pace,
    ),
)
