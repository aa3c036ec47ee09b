# SPDX-License-Identifier: MIT
"""Guests and hosts of different ages: which version they agree on, for every pair of them.

The case's version is the highest that the guest offers; the host is set up to have the versions
that the case's id says. All that a host up to 1.4 does with these guests is ``negotiation``.
Versions that no Linux guest offers have one case of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from protocol.status import STATUS_SUCCESS
from protocol.versions import VPCI_1_5, VPCI_1_6, Dialect, vpci_dialect
from protocol.vpci import PciResponse, message_type
from sim.conformance.answers import REVISION_MISMATCH
from sim.conformance.case import ALL, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_interrupts import create_message


def _offered(host: HostBench) -> Iterator[Dialect]:
    """What the guest offers, highest first as Linux does."""
    return map(vpci_dialect, reversed(ALL[: ALL.index(host.dialect.name) + 1]))


def agrees(highest: str, host: HostBench) -> None:
    for dialect in _offered(host):
        status = host.negotiate(dialect.version).status
        if ALL.index(dialect.name) <= ALL.index(highest):
            expect(f"the status for {dialect.name}", status, STATUS_SUCCESS)
            return _speaks(host, dialect)
        expect(f"the status for {dialect.name}", status, REVISION_MISMATCH)
    raise Nonconforming("no version was agreed")


def _speaks(host: HostBench, dialect: Dialect) -> None:
    listed = host.list_functions()
    expect("the list's message type", message_type(listed), dialect.relations_message)
    needed = 8 + dialect.function_description.SIZE
    expect(f"whether the list has {needed} bytes", len(listed) >= needed, True)
    expect("the status of D0 entry", host.enter_d0().status, STATUS_SUCCESS)
    host.dialect = dialect
    expect(f"the status of {dialect.assigned_message.name}", host.assign().status, STATUS_SUCCESS)
    status = PciResponse.parse(host.ask(create_message(host)).body).status
    expect(f"the status of {dialect.create_message.name}", status, STATUS_SUCCESS)


def refuses_all(host: HostBench) -> None:
    for dialect in _offered(host):
        status = host.negotiate(dialect.version).status
        expect(f"the status for {dialect.name}", status, REVISION_MISMATCH)


def later_as_1_4(host: HostBench) -> None:
    """One after the other, each on the channel opened anew."""
    for dialect in (VPCI_1_5, VPCI_1_6):
        with reaching(f"version {dialect.name}"):
            status = host.negotiate(dialect.version).status
            expect(f"the status for {dialect.name}", status, STATUS_SUCCESS)
        _speaks(host, dialect)
        host.close()
        host.open()


def _host_up_to(highest: str) -> HostCase:
    versions = ALL[: ALL.index(highest) + 1]
    return HostCase(
        id=f"agrees-with-host-up-to-{highest}",
        strength="must",
        given=f"A host that has the versions up to {highest}",
        when="the guest offers its versions, highest first",
        then="the highest that both have is agreed, and lists and requests have its form",
        source="pci-hyperv.c hv_pci_protocol_negotiation(), hv_compose_msi_msg()",
        knobs={"versions": list(versions)},
        check=partial(agrees, highest),
    )


def _host_from(lowest: str) -> HostCase:
    at = ALL.index(lowest)
    return HostCase(
        id=f"nothing-in-common-with-host-from-{lowest}",
        strength="must",
        given=f"A host whose lowest version is {lowest}",
        when="the guest offers its versions, all of which are lower",
        then="each is refused with REVISION_MISMATCH",
        source="pci-hyperv.c hv_pci_protocol_negotiation(); OpenVMM device.rs",
        versions=ALL[:at],
        knobs={"versions": list(ALL[at:])},
        check=refuses_all,
    )


CASES: Final = (
    *(_host_up_to(version) for version in ALL),
    *(_host_from(version) for version in ALL[1:]),
    HostCase(
        id="later-versions-speak-as-1.4",
        strength="openvmm",
        given="A host that has versions 1.5 and 1.6, which Linux does not have",
        when="the guest agrees on one of them, lists, enters D0 and asks for an interrupt",
        then="lists and requests have the forms of 1.4",
        source="OpenVMM device.rs, ProtocolVersion GE and DT",
        versions=("1.4",),
        check=later_as_1_4,
    ),
)
