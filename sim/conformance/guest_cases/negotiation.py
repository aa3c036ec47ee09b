# SPDX-License-Identifier: MIT
"""Agreeing on a protocol version, as a guest does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from protocol.versions import vpci_dialect
from protocol.vpci import MessageType, PciVersionRequest
from sim.conformance.case import ALL, FROM_1_2, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import ASSIGNED as ASSIGNED_FORMS
from sim.conformance.guest_cases.reading import (
    CREATE,
    QUERY_THEN_LIST,
    channel_closed,
    first,
    premise,
    reopened,
    since,
    status_of,
    succeeded,
    waits_for_ever,
)
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    HIBERNATE,
    SETTLED_NS,
    administrator,
    after,
    answered_late,
    do,
    knobs,
)
from sim.conformance.seen import Seen, SeenPacket, expect_names, first_other, parsed

M = MessageType
NEGOTIATED: Final = "pci-hyperv.c hv_pci_protocol_negotiation()"
NEEDS: Final = {
    "1.1": """
[needs]
profile = ["hyperv"]
why = "the openvmm profile refuses protocol 1.1"
"""
}
UNCERTAIN: Final = administrator(after(SETTLED_NS))
PENDING: Final = bytes.fromhex("03010000")  # STATUS_PENDING, which is no failure
SUCCESS: Final = bytes(4)
NO_VERSION: Final = b"\xff" * 4


def answering(data: bytes) -> str:
    """A host that answers the first version query with these bytes."""
    step = do("answer-next", message="PCI_QUERY_PROTOCOL_VERSION", data=data.hex())
    return administrator(step, after(SETTLED_NS))


def queries(seen: Seen) -> list[SeenPacket]:
    return seen.sent(M.PCI_QUERY_PROTOCOL_VERSION)


def version_of(query: SeenPacket) -> int:
    return parsed(PciVersionRequest.parse, query.payload, query.seq).protocol_version


def agreed(seen: Seen) -> SeenPacket | None:
    """The last query that was accepted."""
    accepted = [query for query in queries(seen) if succeeded(seen, query)]
    return accepted[-1] if accepted else None


def _refused(seen: Seen) -> None:
    """Raise NotOffered unless the host has refused a version."""
    statuses = [status_of(seen, query) for query in queries(seen)]
    premise(any(status is not None and status < 0 for status in statuses), "a refused version")


def version_asked_first(seen: Seen) -> None:
    packet = first(seen.sent(), "packet")
    if packet.name != M.PCI_QUERY_PROTOCOL_VERSION.name:
        raise Nonconforming(f"the first packet is {packet.name}", packet.seq)


def highest_first(seen: Seen) -> None:
    asked = first(queries(seen), "version query")
    if version_of(asked) != seen.dialect.version:
        raise Nonconforming(f"version {version_of(asked):#x} was asked for first", asked.seq)


def query_of_eight_bytes(seen: Seen) -> None:
    asked = first(queries(seen), "version query")
    if len(asked.payload) != PciVersionRequest.SIZE:
        raise Nonconforming(f"the version query has {len(asked.payload)} bytes", asked.seq)


def not_asked_again(seen: Seen) -> None:
    refused: set[int] = set()
    for query in queries(seen):
        if version_of(query) in refused:
            raise Nonconforming(f"{version_of(query):#x} was asked for again", query.seq)
        refused.add(version_of(query))
    _refused(seen)


def query_waited_for(seen: Seen) -> None:
    waits_for_ever(seen, first(queries(seen), "version query"))
    if not seen.sent(M.PCI_QUERY_BUS_RELATIONS):
        raise Nonconforming("the answer that came at last was not taken")


def nothing_but_queries(seen: Seen) -> None:
    for packet in seen.sent():
        if packet.name != M.PCI_QUERY_PROTOCOL_VERSION.name:
            raise Nonconforming(f"{packet.name} was sent without a version", packet.seq)
    _refused(seen)


def only_once_accepted(seen: Seen) -> None:
    places = [place for query in queries(seen) if (place := succeeded(seen, query))]
    for packet in seen.sent():
        is_query = packet.name == M.PCI_QUERY_PROTOCOL_VERSION.name
        if not is_query and not any(place < packet.seq for place in places):
            raise Nonconforming(f"{packet.name} was sent without a version", packet.seq)
    _refused(seen)


def asked_once(seen: Seen) -> None:
    if len(queries(seen)) > 1:
        raise Nonconforming("another version was asked for", queries(seen)[1].seq)
    _refused(seen)


def goes_on_to_the_list(seen: Seen) -> None:
    expect_names(seen.sent(), QUERY_THEN_LIST, "it sent")


def lower_of_the_two(accepted: str, seen: Seen) -> None:
    dialect = vpci_dialect(ALL[min(ALL.index(accepted), ALL.index(seen.dialect.name))])
    accepted_query = agreed(seen)
    if accepted_query is None:
        raise Nonconforming(f"none was agreed on, not {dialect.version:#x}")
    found = version_of(accepted_query)
    if found != dialect.version:
        told = f"{found:#x} was agreed on, not {dialect.version:#x}"
        raise Nonconforming(told, accepted_query.seq)
    for forms, form in (
        (ASSIGNED_FORMS, dialect.assigned_message),
        (CREATE, dialect.create_message),
    ):
        for packet in seen.sent(*forms):
            if packet.name != form.name:
                raise Nonconforming(f"{packet.name} was sent at {dialect.name}", packet.seq)


def same_version_again(seen: Seen) -> None:
    again = reopened(seen)
    before = [version_of(query) for query in queries(seen) if query.seq < again]
    premise(before, "asking for a version before that")
    later = since(queries(seen), again)
    asked = [version_of(query) for query in later]
    if asked != before[-1:]:
        at = first_other(later, asked, before[-1:])
        raise Nonconforming(f"after {before[-1]:#x} these were asked for: {asked}", at)


def _pair(accepted: str) -> GuestCase:
    """What is agreed on with a host of that version, whatever the guest goes up to."""
    refused = list(ALL[ALL.index(accepted) + 1 :])
    check: Callable[[Seen], None] = partial(lower_of_the_two, accepted)
    return GuestCase(
        id=f"host-up-to-{accepted}",
        strength="linux",
        given=f"A host that accepts all versions up to {accepted}",
        when="a guest arrives that offers all up to its own, from high to low",
        then="they agree on the lower of the two, and all messages have that version's form",
        source=f"{NEGOTIATED}; the forms: struct pci_resources_assigned, hv_compose_msi_msg()",
        scenario=knobs(refused_versions=refused) + ARRIVAL + NEEDS.get(accepted, ""),
        check=check,
        offers="up-to",
    )


CASES: Final = (
    GuestCase(
        id="version-asked-first",
        strength="must",
        given="A bus that was just offered",
        when="the guest has opened its channel",
        then="the first packet asks for a version",
        source=f"{NEGOTIATED}; OpenVMM's VSP serves nothing before",
        scenario=ARRIVAL,
        check=version_asked_first,
    ),
    GuestCase(
        id="highest-version-first",
        strength="linux",
        given="A guest that offers several versions",
        when="it has opened a channel",
        then="it asks for the highest first",
        source=NEGOTIATED,
        scenario=ARRIVAL,
        check=highest_first,
        offers="up-to",
    ),
    GuestCase(
        id="version-query-of-eight-bytes",
        strength="linux",
        given="A bus that was just offered",
        when="the guest asks for a version",
        then="the message has 8 bytes; FreeBSD's has 12",
        source="struct pci_version_request",
        scenario=ARRIVAL,
        check=query_of_eight_bytes,
    ),
    GuestCase(
        id="refused-version-not-asked-again",
        strength="must",
        given="A host that accepts version 1.1 only",
        when="the guest hears that a version is not accepted",
        then="it asks for another one, or gives up, but not for the same one again",
        source=f"{NEGOTIATED}; OpenVMM test verify_version_negotiation",
        scenario=knobs(refused_versions=list(FROM_1_2)) + UNCERTAIN,
        check=not_asked_again,
        offers="up-to",
        versions=FROM_1_2,
    ),
    GuestCase(
        id="no-version-no-further",
        strength="must",
        given="A host that accepts none of the guest's versions",
        when="the guest has asked for each",
        then="it sends nothing else",
        source=NEGOTIATED,
        scenario=knobs(refused_versions=list(ALL)) + UNCERTAIN,
        check=nothing_but_queries,
        offers="up-to",
    ),
    GuestCase(
        id="no-version-channel-closed",
        strength="must",
        given="A host that accepts none of the guest's versions",
        when="the guest has asked for each",
        then="it closes the channel",
        source="pci-hyperv.c hv_pci_probe(), from its label `close` on",
        scenario=knobs(refused_versions=list(ALL)) + UNCERTAIN,
        check=channel_closed,
        offers="up-to",
    ),
    GuestCase(
        id="version-query-waited-for",
        strength="linux",
        given="A host that answers the version query after two hundred seconds",
        when="the guest waits",
        then="it neither asks again nor closes the channel, and goes on when the answer comes",
        source="pci-hyperv.c wait_for_response()",
        scenario=answered_late("PCI_QUERY_PROTOCOL_VERSION"),
        check=query_waited_for,
    ),
    GuestCase(
        id="failed-query-is-no-agreement",
        strength="must",
        given="A host that answers a version query with another failure",
        when="the guest hears of it",
        then="it sends nothing but version queries until one is accepted",
        source=NEGOTIATED,
        scenario=administrator(
            do("fail-next", message="PCI_QUERY_PROTOCOL_VERSION", status=0xC0000001),
            after(SETTLED_NS),
        ),
        check=only_once_accepted,
        offers="up-to",
    ),
    GuestCase(
        id="failed-query-ends-it",
        strength="linux",
        given="A host that answers a version query with another failure than a mismatch",
        when="the guest hears of it",
        then="it asks for no other version",
        source=NEGOTIATED,
        scenario=administrator(
            do("fail-next", message="PCI_QUERY_PROTOCOL_VERSION", status=0xC0000001),
            after(SETTLED_NS),
        ),
        check=asked_once,
        offers="up-to",
    ),
    GuestCase(
        id="failed-query-closes-the-channel",
        strength="linux",
        given="A host that answers a version query with another failure than a mismatch",
        when="the guest hears of it",
        then="it gives up and closes the channel",
        source="pci-hyperv.c hv_pci_probe(), from its label `close` on",
        scenario=administrator(
            do("fail-next", message="PCI_QUERY_PROTOCOL_VERSION", status=0xC0000001),
            after(SETTLED_NS),
        ),
        check=channel_closed,
        offers="up-to",
    ),
    GuestCase(
        id="any-success-accepts-the-version",
        strength="linux",
        given="A host that answers a version query with STATUS_PENDING, which is no failure",
        when="the guest reads that",
        then="it takes the version as accepted and asks for the list",
        source=f"{NEGOTIATED}: completion_status >= 0",
        scenario=answering(PENDING),
        check=goes_on_to_the_list,
    ),
    GuestCase(
        id="version-in-the-answer-ignored",
        strength="linux",
        given="A host that accepts a version and names one in its answer that nobody has",
        when="the guest reads that",
        then="it goes by the status alone and asks for the list",
        source=f"{NEGOTIATED}: nothing but completion_status is read",
        scenario=answering(SUCCESS + NO_VERSION),
        check=goes_on_to_the_list,
    ),
    *map(_pair, ALL),
    GuestCase(
        id="resume-keeps-the-version",
        strength="linux",
        given="A guest that has hibernated",
        when="it opens the channel again",
        then="it asks for the version of before, and for no other",
        source="pci-hyperv.c hv_pci_resume()",
        scenario=HIBERNATE,
        check=same_version_again,
        offers="up-to",
    ),
)
