# SPDX-License-Identifier: MIT
"""The derived codec against construct's own, and what both do with damaged bytes."""

import subprocess
import sys
from typing import Any

import construct
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.codec import WireRecord
from protocol.derive import as_container, from_container
from protocol.errors import LocalProtocolError, WireFormatError
from protocol.vmbus import VmbusChannelInitiateContact
from protocol.vpci import (
    HvMsiDesc3,
    PciBusRelations2,
    PciCreateInterrupt3,
    PciFunctionDescription2,
    PciWriteBlock,
)
from protocol.workbench import RECORDS
from tests.protocol.facts import DESCRIPTOR_BYTES, leaves_of
from tests.protocol.strategies import damaged, image

EVERY = pytest.mark.parametrize("name", sorted(RECORDS))
quickly = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def by_construct(record: type[WireRecord], data: bytes) -> WireRecord | None:
    """What construct parses, as a record; None where it refuses."""
    try:
        found: WireRecord = from_container(record.CONSTRUCT, record.CONSTRUCT.parse(data))
    except construct.ConstructError:
        return None
    return found


@EVERY
def test_the_derived_codec_parses_and_builds_as_construct_does(name: str) -> None:
    record = RECORDS[name]

    @quickly
    @given(image(record))
    def agree(data: bytes) -> None:
        found = record.parse(data)
        assert found == by_construct(record, data)
        assert found.build() == record.CONSTRUCT.build(as_container(found)) == data
        assert record.parse(memoryview(data)) == found

    agree()


@EVERY
def test_damaged_bytes_are_refused_exactly_where_construct_refuses_them(name: str) -> None:
    record = RECORDS[name]

    @quickly
    @given(damaged(record))
    def agree(data: bytes) -> None:
        expected = by_construct(record, data)
        if expected is not None:
            assert record.parse(data) == expected
            return
        with pytest.raises(WireFormatError) as caught:
            record.parse(data)
        error = caught.value
        assert error.struct == name
        # The first field that the bytes do not hold whole.
        assert error.offset <= len(data)
        assert error.field
        assert "too short" in error.reason

    agree()


@EVERY
def test_bytes_that_end_early_are_blamed_on_the_field_they_end_in(name: str) -> None:
    record = RECORDS[name]
    base = DESCRIPTOR_BYTES * record.INCLUDES_DESCRIPTOR
    offsets = {fact.path: fact.offset - base for fact in leaves_of(name)}
    for size in range(min(record.SIZE, 300)):
        with pytest.raises(WireFormatError) as caught:
            record.parse(bytes(size))
        error = caught.value
        array = error.field.rpartition("[")[0]
        assert error.offset <= size
        if error.field in offsets:
            assert error.offset == offsets[error.field]
        elif array in offsets:
            assert error.offset >= offsets[array]


def small_and_too_large(record: WireRecord) -> list[tuple[str, Any]]:
    """Replacements for single fields, none of which fits."""
    wrong: list[tuple[str, Any]] = []
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if isinstance(value, int):
            wrong += [(field, 1 << 64), (field, -(1 << 64)), (field, None)]
        elif isinstance(value, bytes):
            wrong.append((field, bytes(1 << 20)))
        elif isinstance(value, tuple) and value and isinstance(value[0], int):
            wrong.append((field, (1 << 64, *value[1:])))
    return wrong


@EVERY
def test_a_value_that_does_not_fit_is_a_local_error_that_names_its_field(name: str) -> None:
    record = RECORDS[name]()
    for field, value in small_and_too_large(record):
        with pytest.raises(LocalProtocolError, match=rf"{name}\.{field}"):
            msgspec.structs.replace(record, **{field: value}).build()


@EVERY
def test_every_structure_can_be_built_from_its_defaults(name: str) -> None:
    record = RECORDS[name]()
    assert record.parse(record.build()) == record
    assert hash(record) == hash(RECORDS[name]())


def test_records_cannot_be_changed() -> None:
    record: Any = PciFunctionDescription2()
    with pytest.raises(AttributeError):
        record.v_id = 1


def test_a_count_that_lies_is_refused_on_both_ways() -> None:
    one = PciFunctionDescription2(v_id=0x1414)
    data = PciBusRelations2(device_count=1, func=(one,)).build()
    with pytest.raises(LocalProtocolError, match=r"pci_bus_relations2\.func"):
        PciBusRelations2(device_count=2, func=(one,)).build()
    with pytest.raises(WireFormatError) as caught:
        PciBusRelations2.parse(data[:4] + b"\xff\xff\xff\xff" + data[8:])
    assert (caught.value.field, caught.value.offset) == ("func[1].v_id", 36)


def test_a_nested_field_is_named_by_its_path() -> None:
    with pytest.raises(WireFormatError) as caught:
        PciCreateInterrupt3.parse(bytes(41))
    assert caught.value.field == "int_desc.processor_array[11]"
    assert caught.value.offset == 40


def test_a_nested_value_that_does_not_fit_is_named_by_its_path() -> None:
    wrong = PciCreateInterrupt3(int_desc=HvMsiDesc3(delivery_mode=256))
    with pytest.raises(LocalProtocolError, match=r"pci_create_interrupt3\.int_desc\.delivery_mode"):
        wrong.build()


def test_data_longer_than_its_array_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"pci_write_block\.bytes"):
        PciWriteBlock(bytes=bytes(133)).build()


@quickly
@given(st.binary(max_size=64))
def test_padding_behind_a_structure_is_ignored(padding: bytes) -> None:
    contact = VmbusChannelInitiateContact(vmbus_version_requested=0x50003)
    assert VmbusChannelInitiateContact.parse(contact.build() + padding) == contact


def test_importing_the_messages_generates_no_codec() -> None:
    # What a command does not parse it does not pay for.
    script = (
        "import protocol.vpci as v\n"
        "records = [c for c in vars(v).values() if hasattr(c, 'KERNEL_NAME') and c.KERNEL_NAME]\n"
        "assert len(records) > 30 and not any('CODEC' in vars(c) for c in records)\n"
        "v.PciBusD0Entry().build()\n"
        "assert 'CODEC' in vars(v.PciBusD0Entry)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
