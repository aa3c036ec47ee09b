# SPDX-License-Identifier: MIT
"""Stories of a whole host partition, told by a guest that speaks bytes."""

import pytest

from host.settings import PartitionConfig
from protocol.ids import RelId
from protocol.vpci import (
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciEjectResponse,
    PciMessage,
    PciResourcesAssigned2,
    PciVersionRequest,
    message_name,
)
from tests.host.fakes import FakeGuest, bus, status_of

WINDOW = 0xF800_0000
CONFIG = WINDOW + 0x1000


def arrive(guest: FakeGuest, name: str = "nvme0") -> RelId:
    """From the offer to resources assigned, at version 1.4."""
    relid = guest.partition.offer(name)
    guest.clock.run()
    guest.open(relid)
    answer, _ = guest.ask(relid, PciVersionRequest(protocol_version=0x10004).build())
    assert status_of(answer) == 0
    guest.tell(relid, PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS).build())
    for request in (PciBusD0Entry(mmio_base=WINDOW), PciResourcesAssigned2()):
        answer, _ = guest.ask(relid, request.build())
        assert status_of(answer) == 0
    return relid


def create_interrupt(
    guest: FakeGuest, relid: RelId, vector: int = 0x31, vp: int = 0
) -> tuple[int, int]:
    """Ask for one vector on one VP: (address, data)."""
    descriptor = HvMsiDesc3(
        vector=vector, vector_count=1, processor_count=1, processor_array=(vp,) + (0,) * 31
    )
    answer, _ = guest.ask(relid, PciCreateInterrupt3(int_desc=descriptor).build())
    assert answer is not None
    message = PciCreateIntResponse.parse(answer)
    assert message.status == 0
    return message.int_desc.address, message.int_desc.data


@pytest.fixture
def guest() -> FakeGuest:
    guest = FakeGuest(PartitionConfig((bus(),), vcpus=2))
    guest.connect()
    return guest


def test_a_device_arrives_is_ejected_and_its_offer_is_rescinded(guest: FakeGuest) -> None:
    relid = arrive(guest)
    assert guest.partition.mmio_read(CONFIG, 4) == 0xA80A_144D
    guest.partition.eject("nvme0")
    assert [message_name(p.payload) for p in guest.read(relid)] == ["PCI_EJECT"]
    news = guest.tell(relid, PciEjectResponse().build())
    assert [message_name(payload) for payload in news] == ["PCI_BUS_RELATIONS2"]
    assert guest.names()[-1] == "MessagePosted"
    assert "Rescinded" in guest.names()
    assert guest.partition.mmio_read(CONFIG, 4) == 0xFFFF_FFFF
