# SPDX-License-Identifier: MIT
"""Opening a channel and agreeing on a protocol version, as a host does it."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import OvQueryProtocolVersionReply
from protocol.status import STATUS_SUCCESS
from protocol.versions import LINUX_VPCI_VERSIONS, VPCI_1_2, VPCI_1_3, VPCI_1_5, vpci_dialect
from protocol.vpci import PciVersionRequest
from sim.conformance.answers import REVISION_MISMATCH, functions_in
from sim.conformance.case import ALL, FROM_1_2, FROM_1_3, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench

UNKNOWN_VERSION: Final = 0x20000


def offered(host: HostBench) -> None:
    if not host.host.offers():
        raise Nonconforming("the host offers no channel")


def opens(host: HostBench) -> None:
    host.take_offer()
    expect("the status of opening the channel", host.open_status, STATUS_SUCCESS)


def reopens(host: HostBench) -> None:
    host.close()
    expect("the status of opening the channel", host.open(), STATUS_SUCCESS)


def accepted(host: HostBench) -> None:
    host.agree(host.negotiate())


def offered_by_linux(host: HostBench) -> None:
    expect("the status", host.negotiate().status, STATUS_SUCCESS)


def unknown_refused(host: HostBench) -> None:
    expect("the status", host.negotiate(UNKNOWN_VERSION).status, REVISION_MISMATCH)


def asked_again(host: HostBench) -> None:
    with reaching("a refused version"):
        for version in (UNKNOWN_VERSION, UNKNOWN_VERSION + 1):
            expect("the status", host.negotiate(version).status, REVISION_MISMATCH)
    accepted(host)


def longer_query(host: HostBench) -> None:
    query = PciVersionRequest(protocol_version=host.dialect.version).build()
    host.agree(host.ask(query + bytes(4)))


def _named(host: HostBench, version: int) -> int:
    return OvQueryProtocolVersionReply.parse(host.negotiate(version).body).protocol_version


def names_its_highest(host: HostBench) -> None:
    named = _named(host, UNKNOWN_VERSION)
    lower = ALL[: ALL.index(host.dialect.name)]
    if named in [vpci_dialect(name).version for name in lower]:
        host.ready()
        raise Nonconforming(f"a refusal names version {named:#x}, and this one is accepted")


def names_1_3(host: HostBench) -> None:
    expect("the version in a refusal", _named(host, UNKNOWN_VERSION), VPCI_1_3.version)
    expect("the version in the answer", _named(host, host.dialect.version), VPCI_1_3.version)


def silent_query(host: HostBench) -> None:
    host.tell(PciVersionRequest(protocol_version=host.dialect.version))
    host.list_functions()


def refuses_1_1(host: HostBench) -> None:
    refused = host.negotiate(min(LINUX_VPCI_VERSIONS)).status
    expect("the status for version 1.1", refused, REVISION_MISMATCH)
    accepted(host)


def accepts_1_5(host: HostBench) -> None:
    expect("the status for version 1.5", host.negotiate(VPCI_1_5.version).status, STATUS_SUCCESS)


def reopened(host: HostBench) -> None:
    host.ready()
    host.close()
    host.open()
    expect("the status after reopening", host.negotiate().status, STATUS_SUCCESS)


def reopened_lower(host: HostBench) -> None:
    host.ready()
    host.close()
    host.open()
    with reaching("version 1.2"):
        expect("the status", host.negotiate(VPCI_1_2.version).status, STATUS_SUCCESS)
        listed = functions_in(host.list_functions())
    size = type(listed[0]).SIZE
    expect("bytes of an entry", size, VPCI_1_2.function_description.SIZE)


FRESH: Final = "A channel that was just opened"
AGREED: Final = "An agreed version"

CASES: Final = (
    HostCase(
        id="channel-offered",
        strength="must",
        given="A host with a function for the guest",
        when="the guest asks for the offers",
        then="there is a channel of the vPCI class among them",
        source="channel_mgmt.c vmbus_request_offers(); OpenVMM vmbus_server",
        check=offered,
        begins="connected",
    ),
    HostCase(
        id="channel-opens",
        strength="must",
        given="A channel that was offered",
        when="the guest opens it",
        then="the host answers with success",
        source="channel.c vmbus_open(); OpenVMM vmbus_server",
        check=opens,
        begins="connected",
    ),
    HostCase(
        id="channel-reopens",
        strength="must",
        given="A channel that the guest has opened and closed without a word",
        when="the guest opens it again",
        then="the host answers with success",
        source="channel.c vmbus_open(); OpenVMM vmbus_server",
        check=reopens,
    ),
    HostCase(
        id="version-accepted",
        strength="must",
        given=FRESH,
        when="the guest asks for a version that the host has",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_protocol_negotiation(); OpenVMM device.rs",
        check=accepted,
    ),
    HostCase(
        id="linux-version-accepted",
        strength="hyperv",
        given=FRESH,
        when="the guest asks for a version that Linux has",
        then="the host answers with success",
        source="pci-hyperv.c pci_protocol_versions[]",
        check=offered_by_linux,
    ),
    HostCase(
        id="unknown-version-refused",
        strength="must",
        given=FRESH,
        when="the guest asks for version 2.0",
        then="the host answers with REVISION_MISMATCH, the one status that lets Linux ask again",
        source="OpenVMM test verify_version_negotiation; pci-hyperv.c STATUS_REVISION_MISMATCH",
        check=unknown_refused,
    ),
    HostCase(
        id="version-asked-again",
        strength="must",
        given="A channel on which two versions were refused",
        when="the guest asks for one that the host has",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_protocol_negotiation(); OpenVMM device.rs state Init",
        check=asked_again,
    ),
    HostCase(
        id="longer-query-accepted",
        strength="must",
        given=FRESH,
        when="the version query has four bytes more than it needs, as FreeBSD's has",
        then="the host answers with success",
        source="FreeBSD vmbus_pcib.c vmbus_pcib_negotiate_protocol(); OpenVMM device.rs",
        check=longer_query,
    ),
    HostCase(
        id="version-reply-names-highest",
        strength="hyperv",
        given=FRESH,
        when="the guest asks for version 2.0",
        then="the refusal names no lower version than one that the host accepts afterwards",
        source="mu_msvm VpcivscDxe: the field is the highest version that the host supports",
        check=names_its_highest,
    ),
    HostCase(
        id="version-reply-names-1.3",
        strength="openvmm",
        given=FRESH,
        when="the guest asks for version 2.0 and then for one that the host has",
        then="both answers name version 1.3",
        source="OpenVMM device.rs, reply to QueryProtocolVersion",
        versions=FROM_1_2,
        check=names_1_3,
    ),
    HostCase(
        id="silent-version-query-counts",
        strength="openvmm",
        given=FRESH,
        when="the version query asks for no completion",
        then="none comes, and the version is agreed",
        source="OpenVMM device.rs, send_completion",
        versions=FROM_1_2,
        check=silent_query,
    ),
    HostCase(
        id="version-1.1-refused",
        strength="openvmm",
        given=FRESH,
        when="the guest asks for version 1.1 and then for a later one",
        then="the first is refused with REVISION_MISMATCH and the second accepted",
        source="OpenVMM device.rs, QueryProtocolVersion",
        versions=FROM_1_2,
        check=refuses_1_1,
    ),
    HostCase(
        id="version-1.5-accepted",
        strength="openvmm",
        given=FRESH,
        when="the guest asks for version 1.5, which Linux does not have",
        then="the host answers with success",
        source="OpenVMM device.rs, ProtocolVersion GE",
        versions=("1.4",),
        check=accepts_1_5,
    ),
    HostCase(
        id="reopened-channel-asks-anew",
        strength="must",
        given=AGREED,
        when="the guest closes the channel, opens it and asks for the version again",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_remove(), hv_pci_probe(); OpenVMM device.rs close()",
        check=reopened,
    ),
    HostCase(
        id="reopened-channel-forgets-version",
        strength="must",
        given="An agreed version of 1.3 or later",
        when="the guest closes the channel, opens it and agrees on 1.2",
        then="the list that it asks for has the entries of 1.2",
        source="pci-hyperv.c hv_pci_devices_present(); OpenVMM device.rs",
        versions=FROM_1_3,
        check=reopened_lower,
    ),
)
