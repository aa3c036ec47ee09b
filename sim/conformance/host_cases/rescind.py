# SPDX-License-Identifier: MIT
"""Withdrawing an offer, and offering again, as a host does it."""

from __future__ import annotations

from typing import Final

from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType, PciChildMessage
from sim.conformance.answers import names_of
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, reaching
from sim.conformance.host_bench import ONES, HostBench
from sim.conformance.host_interrupts import VECTOR, VP, heard, retarget, wired
from sim.conformance.host_port import NO_ANSWER

M = MessageType


def withdrawn(host: HostBench) -> None:
    host.assigned()
    host.order("rescind")
    expect("whether the channel is rescinded", host.rescinded, True)


def _rescinded(host: HostBench) -> None:
    """From assigned resources to a channel that is gone."""
    host.order("rescind")
    with reaching("a rescind"):
        expect("whether the channel is rescinded", host.rescinded, True)


def silent(host: HostBench) -> None:
    host.assigned()
    host.send(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0))
    _rescinded(host)
    host.send(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0))
    expect_came("what came", host.receive())


def window_gone(host: HostBench) -> None:
    host.assigned()
    _rescinded(host)
    expect("the first dword", host.read_config(0), ONES)


def interrupts_gone(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    _rescinded(host)
    if retarget(host, message, VECTOR, VP) == 0:
        raise Nonconforming("an interrupt of a device that is gone can be retargeted")


def _offered_again(host: HostBench) -> None:
    before = host.instance_id
    host.assigned()
    _rescinded(host)
    host.close()
    host.offered_again()
    expect("the instance id", host.instance_id, before)


def anew(host: HostBench) -> None:
    with reaching("an offer again"):
        _offered_again(host)
    expect("the status of the version query", host.negotiate().status, STATUS_SUCCESS)


def same_instance(host: HostBench) -> None:
    _offered_again(host)


def surprise(host: HostBench) -> None:
    host.assigned()
    words = names_of(host.order("surprise-remove"))
    raise Nonconforming(f"a device that is pulled out brings {', '.join(words) or 'nothing'}")


def pulled_out(host: HostBench) -> None:
    host.assigned()
    host.order("surprise-remove")
    host.let_act()
    expect("whether the channel is rescinded", host.rescinded, True)


def only_rescinded(host: HostBench) -> None:
    host.assigned()
    expect_came("what came", host.order("surprise-remove"))
    expect("whether the channel is rescinded", host.rescinded, True)


def interrupts_stop(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    _rescinded(host)
    host.host.interrupts()
    host.host.order("raise-interrupt", host.channel, wslot=0, index=0)
    expect("what reaches the processors", tuple(host.host.interrupts()), ())


def opened_too_late(host: HostBench) -> None:
    host.close()
    host.host.order("rescind", host.channel)
    with reaching("a rescind"):
        expect("whether the channel is rescinded", host.rescinded, True)
    expect("the answer to the open", host.open(), NO_ANSWER)


LENT: Final = "A bus in D0 with resources assigned"
GONE: Final = "A channel that was rescinded"

CASES: Final = (
    HostCase(
        id="rescind-withdraws",
        strength="must",
        given=LENT,
        when="the administrator takes the device away at once",
        then="the channel is rescinded",
        source="channel_mgmt.c vmbus_onoffer_rescind(); OpenVMM vmbus_server revoke",
        check=withdrawn,
    ),
    HostCase(
        id="late-open-not-answered",
        strength="hyperv",
        given=GONE,
        when="the guest opens it, as it has not heard of that",
        then="no answer comes: the rescind is on its way",
        source="vmbus_drv.c vmbus_on_msg_dpc(), comment; OpenVMM vmbus_server: Revoked",
        check=opened_too_late,
    ),
    HostCase(
        id="ring-left-after-rescind",
        strength="must",
        given=GONE,
        when="the guest has still written a request",
        then="nothing comes: the ring is the guest's again",
        source="channel_mgmt.c vmbus_onoffer_rescind(); OpenVMM device.rs",
        check=silent,
    ),
    HostCase(
        id="window-ends-with-rescind",
        strength="must",
        given=GONE,
        when="the guest reads the configuration window",
        then="it gets all ones, by which Linux knows that the device is gone",
        source="pci-hyperv.c hv_compose_msi_msg(), vendor id 0xFFFF; vpci.rst",
        check=window_gone,
    ),
    HostCase(
        id="interrupts-end-with-rescind",
        strength="must",
        given="A function whose interrupt was delivered, and a channel that was rescinded",
        when="the function sends its message",
        then="the message is dropped",
        source="vpci.rst, PCI Device Removal; OpenVMM device.rs, close()",
        check=interrupts_stop,
    ),
    HostCase(
        id="retarget-fails-after-rescind",
        strength="hyperv",
        given=GONE,
        when="the guest retargets an interrupt of the device",
        then="the hypercall fails",
        source="vpci.rst: hypercalls of a removed device fail",
        check=interrupts_gone,
    ),
    HostCase(
        id="offered-again-anew",
        strength="must",
        given="A bus that was rescinded, released by the guest and offered again",
        when="the guest opens the channel and asks for a version",
        then="the host answers with success",
        source="channel_mgmt.c vmbus_onoffer(); OpenVMM vmbus_server",
        check=anew,
    ),
    HostCase(
        id="offered-again-same-instance",
        strength="openvmm",
        given="A bus that was rescinded and released by the guest",
        when="the host offers it again",
        then="the offer has the same instance id, so that the guest knows the device again",
        source="OpenVMM device.rs, restore",
        versions=FROM_1_2,
        check=same_instance,
    ),
    HostCase(
        id="pulled-out-is-rescinded",
        strength="hyperv",
        given=LENT,
        when="the device is pulled out of the machine",
        then="the channel is rescinded, at last",
        source="Windows DDI, SURPRISE_REMOVAL; vpci.rst",
        check=pulled_out,
    ),
    HostCase(
        id="pulled-out-without-a-word",
        strength="openvmm",
        given=LENT,
        when="the device is pulled out of the machine",
        then="the channel is rescinded, and no packet comes",
        source="OpenVMM device.rs: removal is a revoke only",
        versions=FROM_1_2,
        check=only_rescinded,
    ),
    HostCase(
        id="pulled-out-packets",
        strength="unknown",
        given=LENT,
        when="the device is pulled out of the machine",
        then="it is not established what the guest is sent before the rescind",
        source=UNSOURCED,
        check=surprise,
    ),
)
