# SPDX-License-Identifier: MIT
"""Processors and interrupts: create, deliver, retarget, delete, and every bad reference."""

import pytest

from host.hypervisor import (
    PLACEMENTS,
    BadReference,
    Hypervisor,
)
from host.interrupts import ARM64
from host.remapping import SOFTWARE_TABLE, SPI_TABLE
from protocol.errors import LocalProtocolError
from protocol.ids import VpIndex

DEVICE = 0x9C4B41E0
VPS = [VpIndex(vp) for vp in (0, 1, 2, 3, 64, 130)]  # numbered with gaps, as hosts may


def make(pcpus: int = 4, placement: str = "create-vp") -> Hypervisor:
    hypervisor = Hypervisor(VPS, pcpus=pcpus, placement=PLACEMENTS[placement])
    hypervisor.add_device(DEVICE)
    return hypervisor


def vps(*numbers: int) -> list[VpIndex]:
    return [VpIndex(number) for number in numbers]


def test_an_interrupt_goes_where_the_create_message_said() -> None:
    hypervisor = make()
    address, data = hypervisor.create(DEVICE, 40, 1, vps(2))
    assert hypervisor.deliver(DEVICE, address, data) == (2, 40)
    assert sum(hypervisor.pcpu_loads) == 1


def test_the_nth_message_of_a_block_delivers_the_nth_vector() -> None:
    hypervisor = make()
    address, data = hypervisor.create(DEVICE, 32, 8, vps(1))
    delivered = [hypervisor.deliver(DEVICE, address, data + nth) for nth in range(8)]
    assert delivered == [(1, 32 + nth) for nth in range(8)]
    assert hypervisor.deliver(DEVICE, address, data + 8) is None


@pytest.mark.parametrize("vector", [31, 1020])
def test_on_arm64_a_vector_is_an_spi(vector: int) -> None:
    hypervisor = Hypervisor(VPS, msi_format=SPI_TABLE, vectors=ARM64.vectors)
    hypervisor.add_device(DEVICE)
    messages = [hypervisor.create(DEVICE, spi, 1, vps(0)) for spi in (32, 1019)]
    assert [hypervisor.deliver(DEVICE, *message) for message in messages] == [(0, 32), (0, 1019)]
    with pytest.raises(BadReference):
        hypervisor.create(DEVICE, vector, 1, vps(0))


def test_retarget_moves_one_vector_of_a_block() -> None:
    hypervisor = make()
    address, data = hypervisor.create(DEVICE, 32, 4, vps(1))
    assert hypervisor.retarget(DEVICE, address, data + 2, 77, vps(130)) == 0
    assert hypervisor.deliver(DEVICE, address, data + 2) == (130, 77)
    assert hypervisor.deliver(DEVICE, address, data + 1) == (1, 33)


def test_of_several_targets_the_first_one_takes_it() -> None:
    hypervisor = make()
    address, data = hypervisor.create(DEVICE, 40, 1, vps(3, 1, 2))
    assert hypervisor.deliver(DEVICE, address, data) == (1, 40)


def test_a_deleted_interrupt_is_dropped() -> None:
    hypervisor = make()
    message = hypervisor.create(DEVICE, 40, 1, vps(0))
    hypervisor.delete(DEVICE, *message)
    assert hypervisor.deliver(DEVICE, *message) is None
    with pytest.raises(BadReference, match="to delete") as refused:
        hypervisor.delete(DEVICE, *message)
    assert refused.value.status == 5


def test_nothing_of_a_removed_device_is_left() -> None:
    hypervisor = make()
    message = hypervisor.create(DEVICE, 40, 1, vps(0))
    hypervisor.remove_device(DEVICE)
    assert hypervisor.deliver(DEVICE, *message) is None
    assert hypervisor.retarget(DEVICE, *message, 41, vps(0)) == 0x57
    assert sum(hypervisor.pcpu_loads) == 0
    assert hypervisor.pcpu_loads == (0, 0, 0, 0)
    for use in (
        lambda: hypervisor.create(DEVICE, 40, 1, vps(0)),
        lambda: hypervisor.delete(DEVICE, *message),
    ):
        with pytest.raises(BadReference) as refused:
            use()
        assert refused.value.status == 0x57


def test_functions_that_share_a_device_id_share_its_entries() -> None:
    hypervisor = make()
    hypervisor.add_device(DEVICE)
    message = hypervisor.create(DEVICE, 40, 1, vps(0))
    hypervisor.remove_device(DEVICE)
    assert hypervisor.deliver(DEVICE, *message) == (0, 40)
    hypervisor.remove_device(DEVICE)
    assert hypervisor.deliver(DEVICE, *message) is None


@pytest.mark.parametrize(
    ("vector", "count", "targets", "status"),
    [
        (40, 1, [], 5),
        (40, 1, [7], 0x0E),
        (40, 1, [0, 4095], 0x0E),
        (40, 0, [0], 5),
        (15, 1, [0], 5),
        (256, 1, [0], 5),
        (250, 8, [0], 5),
    ],
)
def test_an_impossible_create_is_refused(
    vector: int, count: int, targets: list[int], status: int
) -> None:
    hypervisor = make()
    with pytest.raises(BadReference) as refused:
        hypervisor.create(DEVICE, vector, count, vps(*targets))
    assert refused.value.status == status
    assert sum(hypervisor.pcpu_loads) == 0


def test_a_device_without_an_entry_left_is_told_so() -> None:
    hypervisor = make()
    for _ in range((1 << 16) // 32):
        hypervisor.create(DEVICE, 32, 32, vps(0))
    with pytest.raises(BadReference) as refused:
        hypervisor.create(DEVICE, 40, 1, vps(0))
    assert refused.value.status == 11


@pytest.mark.parametrize(
    ("vector", "targets", "status"),
    [(41, [], 5), (41, [9], 0x0E), (3, [0], 5), (300, [0], 5)],
)
def test_a_refused_retarget_leaves_the_entry_alone(
    vector: int, targets: list[int], status: int
) -> None:
    hypervisor = make()
    message = hypervisor.create(DEVICE, 40, 1, vps(2))
    assert hypervisor.retarget(DEVICE, *message, vector, vps(*targets)) == status
    assert hypervisor.deliver(DEVICE, *message) == (2, 40)
    assert hypervisor.retarget(DEVICE, 0xFEE00FF0, 0, 41, vps(0)) == 5


def test_the_same_message_of_two_devices_is_two_interrupts() -> None:
    hypervisor = make()
    hypervisor.add_device(DEVICE + 8)
    one = hypervisor.create(DEVICE, 40, 1, vps(0))
    two = hypervisor.create(DEVICE + 8, 50, 1, vps(1))
    assert one == two
    assert hypervisor.deliver(DEVICE, *one) == (0, 40)
    assert hypervisor.deliver(DEVICE + 8, *two) == (1, 50)


def test_the_physical_cpu_follows_the_processor_of_the_create_message() -> None:
    hypervisor = make(pcpus=4)
    for vp in VPS:
        hypervisor.create(DEVICE, 40, 1, [vp])
    assert hypervisor.pcpu_loads == (2, 2, 1, 1)  # six VPs dealt out to four
    message = hypervisor.create(DEVICE, 40, 1, vps(0))
    assert hypervisor.retarget(DEVICE, *message, 40, vps(3)) == 0
    assert hypervisor.pcpu_loads == (3, 2, 1, 1)  # retargeting does not choose again
    hypervisor.delete(DEVICE, *message)
    assert hypervisor.pcpu_loads == (2, 2, 1, 1)


def test_a_block_lies_on_one_physical_cpu_unless_retargeting_chooses_again() -> None:
    loads = {}
    for name in PLACEMENTS:
        hypervisor = make(pcpus=4, placement=name)
        hypervisor.create(DEVICE, 40, 1, vps(1))
        address, data = hypervisor.create(DEVICE, 32, 4, vps(1))
        for nth, vp in enumerate((0, 1, 2, 3)):
            assert hypervisor.retarget(DEVICE, address, data + nth, 60 + nth, vps(vp)) == 0
        loads[name] = hypervisor.pcpu_loads
    assert loads == {
        "create-vp": (0, 5, 0, 0),
        "retarget-vp": (1, 2, 1, 1),
        "one-pcpu": (5, 0, 0, 0),
        "least-loaded": (1, 4, 0, 0),
    }


def test_openvmm_s_table_may_be_used_instead() -> None:
    hypervisor = Hypervisor(VPS, msi_format=SOFTWARE_TABLE)
    hypervisor.add_device(DEVICE)
    assert hypervisor.create(DEVICE, 40, 1, vps(0)) == (0xFEE00000, 0)
    assert hypervisor.create(DEVICE, 41, 1, vps(1)) == (0xFEE00004, 0)
    assert hypervisor.pcpu_loads == (2,)
    hypervisor.delete(DEVICE, 0xFEE00000, 0)
    assert hypervisor.pcpu_loads == (1,)


def test_a_machine_has_processors() -> None:
    hypervisor = make()
    assert hypervisor.vps == tuple(VPS)
    with pytest.raises(LocalProtocolError):
        Hypervisor([])
    with pytest.raises(LocalProtocolError):
        Hypervisor(VPS, pcpus=0)
