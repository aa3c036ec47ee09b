# SPDX-License-Identifier: MIT
"""Hypercall inputs: the facts' vectors, VP masks and sparse sets, anything a guest may write."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.events import InterruptRetargeted
from host.hypercalls import HYPERCALLS, make_hypercall
from host.hypervisor import Hypervisor
from protocol.hypercall import (
    HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HVCALL_POST_MESSAGE,
    HVCALL_RETARGET_INTERRUPT,
    HVCALL_SIGNAL_EVENT,
    HvDeviceInterruptTarget,
    HvInterruptEntry,
    HvMmioReadInput,
    HvMmioWriteInput,
    HvMsiEntry,
    HvRetargetDeviceInterrupt,
    control_word,
)
from protocol.ids import ConnectionId, VpIndex
from protocol.synic import HvInputPostMessage
from tests.host.fakes import banks_of_vps

VECTORS: dict[str, Any] = {
    vector["id"]: vector
    for vector in json.loads(
        (Path(__file__).parents[1] / "data" / "wire-vectors.json").read_text()
    )["vectors"]
}
FAST = 1 << 16
SET = HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET
DEVICE = 2622177760
HELD_NS = 77


class Board:
    """Stands for the partition: remembers calls, refuses connection id 99."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.mmio_status = 0

    def post_message(self, connection_id: ConnectionId, payload: bytes) -> int:
        self.calls.append(("post", connection_id, payload))
        return 18 if connection_id == 99 else 0

    def signal_event(self, connection_id: ConnectionId, flag: int) -> int:
        self.calls.append(("signal", connection_id, flag))
        return 18 if connection_id == 99 else 0

    def called_read(self, gpa: int, size: int) -> tuple[int, int]:
        self.calls.append(("read", gpa, size))
        return self.mmio_status, (1 << 8 * size) - 2

    def called_write(self, gpa: int, size: int, value: int) -> tuple[int, int]:
        self.calls.append(("write", gpa, size, value))
        return self.mmio_status, HELD_NS

    def interrupt_retargeted(self, event: InterruptRetargeted) -> None:
        self.calls.append(("retargeted", event))


class Remembering(Hypervisor):
    """Remembers where the last interrupt was to go."""

    targets: Sequence[VpIndex] = ()

    def retarget(
        self, device_id: int, address: int, data: int, vector: int, targets: Sequence[VpIndex]
    ) -> int:
        self.targets = targets
        return super().retarget(device_id, address, data, vector, targets)


class Machine:
    """300 VPs, one device with one interrupt on VP 0."""

    def __init__(self) -> None:
        self.board = Board()
        self.hypervisor = Remembering([VpIndex(vp) for vp in range(300)])
        self.hypervisor.add_device(DEVICE)
        self.message = self.hypervisor.create(DEVICE, 40, 1, [VpIndex(0)])
        self.held_ns = 0

    def call(self, control: int, data: bytes) -> tuple[int, bytes]:
        result = make_hypercall(self.hypervisor, self.board, control, data)
        self.held_ns = result.held_ns
        return result.status, result.output

    def retarget(self, target: HvDeviceInterruptTarget, **fields: Any) -> int:
        return self.call(
            control_word(HVCALL_RETARGET_INTERRUPT, len(target.set_words)),
            self.request(target, **fields),
        )[0]

    def request(self, target: HvDeviceInterruptTarget, **fields: Any) -> bytes:
        address, data = self.message
        values: dict[str, Any] = {
            "device_id": DEVICE,
            "int_entry": HvInterruptEntry(
                source=1, msi_entry=HvMsiEntry(address=address, data=data)
            ),
            "int_target": target,
        }
        return HvRetargetDeviceInterrupt(**values | fields).build()

    def targets(self) -> tuple[VpIndex, ...]:
        return tuple(self.hypervisor.targets)


def by_set(*vps: int, vector: int = 41) -> HvDeviceInterruptTarget:
    mask, banks = banks_of_vps([VpIndex(vp) for vp in vps])
    return HvDeviceInterruptTarget(vector=vector, flags=SET, set_words=(mask, *banks))


# --- messages and events ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS.values() if "post_message_input_hex" in v], ids=lambda v: v["id"]
)
def test_a_posted_message_arrives_at_its_connection(vector: dict[str, Any]) -> None:
    machine = Machine()
    data = bytes.fromhex(vector["post_message_input_hex"])
    assert machine.call(HVCALL_POST_MESSAGE, data) == (0, b"")
    assert machine.board.calls == [("post", data[0], bytes.fromhex(vector["struct_hex"]))]


def test_a_message_to_nobody_is_refused_by_the_port() -> None:
    machine = Machine()
    data = HvInputPostMessage(connectionid=99, payload_size=8).build()
    assert machine.call(HVCALL_POST_MESSAGE, data) == (18, b"")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"payload_size": 241}, 5),
        ({"message_type": 0}, 5),
        ({"message_type": 0x80000001}, 5),
    ],
)
def test_a_message_that_cannot_be_is_refused(fields: dict[str, Any], status: int) -> None:
    machine = Machine()
    data = HvInputPostMessage(connectionid=1, **fields).build()
    assert machine.call(HVCALL_POST_MESSAGE, data) == (status, b"")
    assert machine.board.calls == []


def test_an_event_is_signalled_by_a_fast_call() -> None:
    machine = Machine()
    assert machine.call(HVCALL_SIGNAL_EVENT | FAST, (0x2011).to_bytes(8, "little")) == (0, b"")
    assert machine.board.calls == [("signal", 0x2011, 0)]
    assert machine.call(HVCALL_SIGNAL_EVENT | FAST, (99).to_bytes(8, "little"))[0] == 18
    assert machine.call(HVCALL_SIGNAL_EVENT | FAST, b"\xff" * 8)[0] == 5


# --- memory-mapped I/O ----------------------------------------------------------------------------


def test_mmio_by_hypercall_reads_and_writes() -> None:
    machine = Machine()
    read = bytes.fromhex(VECTORS["mmio_read_input"]["struct_hex"])
    status, output = machine.call(HVCALL_MMIO_READ, read)
    assert (status, output) == (0, b"\xfe\xff" + bytes(62))
    write = bytes.fromhex(VECTORS["mmio_write_input_slot_select"]["struct_hex"])
    assert machine.call(HVCALL_MMIO_WRITE, write) == (0, b"")
    assert machine.held_ns == HELD_NS
    assert machine.board.calls == [("read", 68585254912, 2), ("write", 68585250816, 4, 0x22)]


def test_mmio_that_nobody_answers_has_a_status_and_no_output() -> None:
    machine = Machine()
    machine.board.mmio_status = 5
    assert machine.call(HVCALL_MMIO_READ, HvMmioReadInput(size=4).build()) == (5, b"")
    assert machine.call(HVCALL_MMIO_WRITE, HvMmioWriteInput(size=4).build()) == (5, b"")


@pytest.mark.parametrize("size", [0, 3, 16, 64, 65, 1 << 31])
def test_mmio_moves_what_one_instruction_can(size: int) -> None:
    machine = Machine()
    assert machine.call(HVCALL_MMIO_READ, HvMmioReadInput(size=size).build()) == (5, b"")
    assert machine.call(HVCALL_MMIO_WRITE, HvMmioWriteInput(size=size).build()) == (5, b"")
    assert machine.board.calls == []


# --- retarget -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["retarget_interrupt_vp_mask", "retarget_interrupt_vpset_1_bank"])
def test_the_retarget_inputs_of_the_facts_are_understood(name: str) -> None:
    vector = VECTORS[name]
    machine = Machine()
    data = bytearray.fromhex(vector["struct_hex"])
    address, value = machine.message
    data[24:32] = address.to_bytes(4, "little") + value.to_bytes(4, "little")
    assert machine.call(vector["fields"]["@control"], bytes(data)) == (0, b"")
    assert machine.hypervisor.deliver(DEVICE, address, value) == (5, 35)


def test_retarget_by_mask_reaches_the_first_64_processors() -> None:
    machine = Machine()
    assert machine.retarget(HvDeviceInterruptTarget(vector=41, vp_mask=1 << 63 | 1 << 7)) == 0
    assert machine.targets() == (7, 63)


@pytest.mark.parametrize("vps", [(3,), (64,), (0, 299), (63, 64, 128, 191, 256)], ids=str)
def test_retarget_by_sparse_set_reaches_all_banks(vps: tuple[int, ...]) -> None:
    machine = Machine()
    assert machine.retarget(by_set(*vps)) == 0
    assert machine.targets() == vps
    assert machine.hypervisor.deliver(DEVICE, *machine.message) == (vps[0], 41)


def test_banks_that_are_present_and_empty_are_no_matter() -> None:
    # Linux flags every bank from 0 to the last one it needs (cpumask_to_vpset).
    machine = Machine()
    target = HvDeviceInterruptTarget(vector=41, flags=SET, set_words=(0b11111, 0, 0, 0, 0, 1 << 3))
    assert machine.retarget(target) == 0
    assert machine.targets() == (259,)


def test_the_set_of_all_means_every_processor() -> None:
    machine = Machine()
    target = HvDeviceInterruptTarget(vector=41, flags=SET, vp_mask=1)  # format: HV_GENERIC_SET_ALL
    assert machine.retarget(target) == 0
    assert machine.targets() == machine.hypervisor.vps


def test_what_lies_behind_the_input_in_its_page_is_not_read() -> None:
    machine = Machine()
    page = machine.request(by_set(70)).ljust(4096, b"\xff")
    assert machine.call(control_word(HVCALL_RETARGET_INTERRUPT, 2), page) == (0, b"")
    assert machine.targets() == (70,)


WRONG: dict[str, tuple[HvDeviceInterruptTarget, dict[str, Any], int]] = {
    "another partition": (by_set(1), {"partition_id": 7}, 0x0D),
    "an unknown device": (by_set(1), {"device_id": 1}, 0x57),
    "an unknown entry": (by_set(1), {"int_entry": HvInterruptEntry(source=1)}, 5),
    "an I/O APIC entry": (by_set(1), {"int_entry": HvInterruptEntry(source=2)}, 5),
    "reserved bits": (by_set(1), {"reserved2": 1}, 5),
    "unknown flags": (HvDeviceInterruptTarget(vector=41, flags=8, vp_mask=1), {}, 5),
    "nobody": (HvDeviceInterruptTarget(vector=41), {}, 5),
    "an empty set": (HvDeviceInterruptTarget(vector=41, flags=SET, set_words=(0,)), {}, 5),
    "a processor that is not there": (by_set(1, 300), {}, 0x0E),
    "an unknown set format": (HvDeviceInterruptTarget(41, SET, 2, (1, 2)), {}, 3),
    "fewer banks than flagged": (HvDeviceInterruptTarget(41, SET, 0, (3, 1)), {}, 3),
    "more banks than flagged": (HvDeviceInterruptTarget(41, SET, 0, (1, 1, 1)), {}, 3),
    "a set without a bank mask": (HvDeviceInterruptTarget(41, SET), {}, 3),
    "a mask with a variable header": (HvDeviceInterruptTarget(41, 0, 1, (1,)), {}, 3),
    "an exception's vector": (by_set(1, vector=14), {}, 5),
}


@pytest.mark.parametrize(("target", "fields", "status"), WRONG.values(), ids=WRONG)
def test_a_wrong_retarget_gives_its_status_and_moves_nothing(
    target: HvDeviceInterruptTarget, fields: dict[str, Any], status: int
) -> None:
    machine = Machine()
    assert machine.retarget(target, **fields) == status
    assert machine.hypervisor.deliver(DEVICE, *machine.message) == (0, 40)


# --- any input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 0x7C, 0x7D, 0xFFFF])
def test_an_unknown_call_is_named_so(code: int) -> None:
    assert Machine().call(code, bytes(256)) == (2, b"")


@pytest.mark.parametrize("code", HYPERCALLS)
@pytest.mark.parametrize("bits", [1 << 27, 1 << 31, 1 << 32, 1 << 48, 1 << 63])
def test_bits_that_no_such_call_has_are_refused(code: int, bits: int) -> None:
    assert Machine().call(code | bits, bytes(256)) == (3, b"")


@pytest.mark.parametrize("code", HYPERCALLS)
def test_an_input_cut_short_is_refused(code: int) -> None:
    assert Machine().call(code, bytes(7)) == (3, b"")


@pytest.mark.parametrize("code", [c for c in HYPERCALLS if c != HVCALL_RETARGET_INTERRUPT])
def test_only_retarget_has_a_variable_header(code: int) -> None:
    machine = Machine()
    data = (1).to_bytes(8, "little") + bytes([1, 0, 0, 0] * 62)
    assert machine.call(control_word(code, 1), data)[0] in (3, 5)
    assert machine.board.calls == []


@given(
    st.sampled_from(sorted(HYPERCALLS)),
    st.integers(0, 70),
    st.binary(max_size=600),
)
def test_no_input_makes_the_hypervisor_fail(code: int, words: int, data: bytes) -> None:
    status, _ = Machine().call(control_word(code, words), data)
    assert status in (0, 3, 5, 0x0D, 0x0E, 0x12, 0x57)
