# SPDX-License-Identifier: MIT
"""When a host says which functions its bus has: asked, by itself, and at D0 entry."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, PciMessage
from sim.conformance.answers import COMPLETION, names_of, relations_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, expect_count, expect_listed
from sim.conformance.host_bench import HostBench

M = MessageType


def query_listed(host: HostBench) -> None:
    host.ready()
    host.list_functions()


def each_query_listed(host: HostBench) -> None:
    host.listed()
    host.list_functions()


def completion_first(host: HostBench) -> None:
    host.ready()
    answer = host.ask(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    expect_came("what came", answer.packets, COMPLETION, host.dialect.relations_message.name)
    expect("bytes of the completion", len(answer.body), 0)


def completion_seen(host: HostBench) -> None:
    host.ready()
    answer = host.ask(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    raise Nonconforming(f"a query that wants a completion gets {told(answer)}")


def unsolicited(host: HostBench) -> None:
    host.ready()
    expect("the functions at first", len(host.functions()), 2)
    packets = host.order("relations", wslots=(0,))
    expect_listed(packets, 0)


def not_unsolicited(host: HostBench) -> None:
    host.ready()
    words = names_of(host.order("relations", wslots=(0,)))
    raise Nonconforming(f"a guest that has not asked is told {', '.join(words) or 'nothing'}")


def list_before_completion(host: HostBench) -> None:
    host.listed()
    packets = host.enter_d0().packets
    kinds = [p.packet_type == VM_PKT_COMP for p in packets]
    if True in kinds and False in kinds[kinds.index(True) :]:
        late = packets[kinds.index(False, kinds.index(True))]
        raise Nonconforming(f"what came is {', '.join(names_of(packets))}", late.at)


def list_with_d0(host: HostBench) -> None:
    host.ready()
    answer = host.enter_d0()
    expect_count("lists", relations_of(answer.packets), 1)


def d0_list_seen(host: HostBench) -> None:
    host.listed()
    words = names_of(host.enter_d0().packets)
    raise Nonconforming(f"D0 entry brings {', '.join(words) or 'nothing'}")


AGREED: Final = "An agreed version"
QUERIED: Final = "the guest queries the relations"

CASES: Final = (
    HostCase(
        id="relations-query-listed",
        strength="must",
        given=AGREED,
        when=QUERIED,
        then="the host sends a list, with or without a completion being asked for",
        source="pci-hyperv.c hv_pci_query_relations(); OpenVMM device.rs",
        check=query_listed,
    ),
    HostCase(
        id="each-relations-query-listed",
        strength="must",
        given="A list that was sent for a query",
        when="the guest queries again, as it does when it resumes",
        then="the host sends a list again",
        source="pci-hyperv.c hv_pci_resume(); OpenVMM device.rs",
        check=each_query_listed,
    ),
    HostCase(
        id="relations-completion-is-empty",
        strength="openvmm",
        given=AGREED,
        when="the guest queries the relations and wants a completion",
        then="an empty completion comes, and after it the list",
        source="OpenVMM device.rs, QueryBusRelations",
        versions=FROM_1_2,
        check=completion_first,
    ),
    HostCase(
        id="relations-completion",
        strength="unknown",
        given=AGREED,
        when="the guest queries the relations and wants a completion",
        then="it is not established what the completion carries; Linux asks for none",
        source=UNSOURCED,
        check=completion_seen,
    ),
    HostCase(
        id="change-is-listed-unasked",
        strength="hyperv",
        given="A guest that has been told of functions in slots 0 and 1",
        when="the second is taken away",
        then="the host sends one list, with the first only",
        source="pci-hyperv.c hv_pci_onchannelcallback(), hv_pci_devices_present()",
        bus="two",
        check=unsolicited,
    ),
    HostCase(
        id="change-before-query",
        strength="unknown",
        given="A guest that has agreed on a version and not asked for the relations",
        when="a function is taken away",
        then="it is not established whether the guest is told",
        source=UNSOURCED,
        bus="two",
        check=not_unsolicited,
    ),
    HostCase(
        id="relations-before-d0-completion",
        strength="must",
        given="An agreed version and the relations known",
        when="the guest enters D0",
        then="nothing comes behind the completion: a list that D0 entry brings is ahead of it",
        source='OpenVMM device.rs, FdoD0Entry ("Hyper-V order"); test verify_simple_device',
        check=list_before_completion,
    ),
    HostCase(
        id="d0-entry-lists",
        strength="openvmm",
        given=AGREED,
        when="the guest enters D0 without having asked for the relations",
        then="one list comes",
        source="OpenVMM device.rs, FdoD0Entry; OpenVMM's client relies on it",
        versions=FROM_1_2,
        check=list_with_d0,
    ),
    HostCase(
        id="d0-entry-brings",
        strength="unknown",
        given="An agreed version and the relations known",
        when="the guest enters D0",
        then="it is not established whether a Windows host sends the list once more",
        source="none: Linux is ready for either",
        check=d0_list_seen,
    ),
)
