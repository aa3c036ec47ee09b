# SPDX-License-Identifier: MIT
"""One refusal of D0 is no reason to give up, two are."""

from __future__ import annotations

import pytest

from guest.events import FunctionReturned, KernelCrashed
from host.events import ChannelOffered, ChannelOpened, PacketRefused, RequestFailed, Rescinded
from protocol.ids import VpIndex
from protocol.vpci import MessageType
from sim.fault_events import FaultInjected
from sim.oracles.laws.retries_d0 import RetriesD0
from tests.sim.oracles.laws.tale import BUS, RELID, broken, holds, message

OFFERED = ChannelOffered(BUS, RELID)
REFUSED = PacketRefused(BUS, "PCI_BUS_D0ENTRY", 0xC0000184, "the bus is in D0")
INJECTED = RequestFailed(BUS, "PCI_BUS_D0ENTRY", 0xC0000184)
EXIT = message(MessageType.PCI_BUS_D0EXIT)
FAILED = FunctionReturned(RELID, "hv_pci_probe", -71)


@pytest.mark.parametrize("refusal", [REFUSED, INJECTED])
@pytest.mark.parametrize("who", ["hv_pci_probe", "hv_pci_resume"])
def test_who_gives_up_at_the_first_refusal_has_lost_a_device(refusal: object, who: str) -> None:
    violation = broken(RetriesD0, OFFERED, refusal, FunctionReturned(RELID, who, -71))
    assert violation.kind == "lost-device"
    assert holds(RetriesD0, OFFERED, refusal, EXIT, FunctionReturned(RELID, who, 0))


def test_a_second_refusal_is_the_last() -> None:
    assert holds(RetriesD0, OFFERED, REFUSED, EXIT, REFUSED, FAILED)


def test_a_channel_that_is_opened_again_begins_anew() -> None:
    again = (REFUSED, EXIT, REFUSED, FAILED, ChannelOpened(BUS, RELID))
    assert broken(RetriesD0, OFFERED, *again, REFUSED, FAILED)
    assert holds(RetriesD0, OFFERED, *again, FAILED)


def test_another_request_that_is_refused_is_no_matter_of_d0() -> None:
    other = RequestFailed(BUS, "PCI_RESOURCES_ASSIGNED2", 0xC000009A)
    assert holds(RetriesD0, OFFERED, other, FAILED)


@pytest.mark.parametrize(
    "excuse",
    [
        Rescinded(BUS, RELID),
        KernelCrashed(VpIndex(0)),
        FaultInjected("allocation-failure", "PciPacket"),
    ],
)
def test_what_keeps_the_guest_from_trying_again_excuses_it(excuse: object) -> None:
    assert holds(RetriesD0, OFFERED, REFUSED, excuse, FAILED)
