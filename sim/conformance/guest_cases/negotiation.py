# SPDX-License-Identifier: MIT
"""Agreeing on a protocol version, as a guest does it."""

from __future__ import annotations

from typing import Final

from protocol.vpci import MessageType, PciVersionRequest
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.seen import Seen

M = MessageType


def version_asked_first(seen: Seen) -> None:
    packets = seen.sent()
    if not packets:
        raise Nonconforming("the guest sent no packet")
    first = packets[0]
    if first.name != M.PCI_QUERY_PROTOCOL_VERSION.name:
        raise Nonconforming(f"the first packet is {first.name}", first.seq)
    asked = PciVersionRequest.parse(first.payload).protocol_version
    if asked != seen.dialect.version:
        raise Nonconforming(f"version {asked:#x} was asked for", first.seq)


CASES: Final = (
    GuestCase(
        id="version-asked-first",
        strength="must",
        given="A bus that was just offered",
        when="the guest has opened its channel",
        then="the first packet asks for the highest version that the guest offers",
        source="pci-hyperv.c hv_pci_protocol_negotiation()",
        scenario="""
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme0" }]
""",
        check=version_asked_first,
    ),
)
