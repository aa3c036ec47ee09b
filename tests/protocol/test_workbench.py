# SPDX-License-Identifier: MIT
"""decode and encode: round trips, views, arrays of open length, and every refusal."""

import pytest
from hypothesis import HealthCheck, given, settings

from protocol.errors import WireFormatError
from protocol.vmbus_packets import VmpacketDescriptor
from protocol.workbench import RECORDS, WorkbenchError, decode, encode, names
from tests.protocol.facts import DESCRIPTOR_BYTES, LAYOUTS, leaves_of
from tests.protocol.strategies import damaged, image

EVERY = pytest.mark.parametrize("name", sorted(RECORDS))
# Pages of memory have thousands of leaves: a few examples of each say it all.
PAGES = {"hv_message_page", "hv_monitor_page", "hv_ring_buffer"}
# A data block of zero bytes is no message.
AT_LEAST_ONE_BYTE = {
    "pci_read_block_response",
    "pci_write_block",
    "vmadditional_data",
    "hv_ring_buffer",
}
HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(name: str) -> settings:
    number = 2 if name in PAGES else 10
    return settings(
        max_examples=number, deadline=None, derandomize=True, suppress_health_check=HEALTH
    )


def with_descriptor(name: str, payload: bytes) -> bytes:
    if not RECORDS[name].INCLUDES_DESCRIPTOR:
        return payload
    return VmpacketDescriptor(6, 2, 3, 0, 7).build() + payload


def sent_without_its_quirk(name: str, data: bytes) -> bool:
    """Whether encode would append what Linux always sends behind exactly byte_count bytes."""
    return name == "pci_write_block" and int.from_bytes(data[12:16], "little") == len(data) - 16


def refusal(name: str, data: bytes) -> WireFormatError | None:
    """How decode refuses the bytes, if it does; any other exception is a failure."""
    try:
        decode(name, data)
    except WireFormatError as error:
        return error
    return None


@EVERY
def test_encode_gives_back_what_decode_took(name: str) -> None:
    @examples(name)
    @given(image(RECORDS[name]))
    def round_trip(payload: bytes) -> None:
        data = with_descriptor(name, payload)
        if name in AT_LEAST_ONE_BYTE and len(payload) == RECORDS[name].SIZE:
            with pytest.raises(WireFormatError, match=r"\[0\] at offset \d+: 1 bytes too short"):
                decode(name, data)
            return
        size, fields = decode(name, data)
        assert size == len(data)
        if not sent_without_its_quirk(name, data):
            assert encode(name, fields) == data

    round_trip()


@EVERY
def test_damaged_bytes_decode_or_are_refused_with_field_and_offset(name: str) -> None:
    @examples(name)
    @given(damaged(RECORDS[name]))
    def refuse(payload: bytes) -> None:
        data = with_descriptor(name, payload)
        refused = refusal(name, data)
        if refused is not None:
            assert refused.field
            assert 0 <= refused.offset <= len(data)
            return
        left = len(data) - decode(name, data)[0]
        assert left in {0, -(len(data) - left) % 8}

    refuse()


@EVERY
def test_each_single_field_lands_where_the_compiler_put_it(name: str) -> None:
    for fact in leaves_of(name):
        if fact.path == "buffer" and name == "hv_ring_buffer":
            continue  # the ring's data, not its control page
        path = fact.path + "".join("[0]" for _ in fact.dims)
        if fact.size == 16:
            continue  # a GUID is text
        bits = fact.width or 8 * fact.size
        value = -1 if fact.signed else (1 << bits) - 1
        data = encode(name, {path: value})
        word = int.from_bytes(data[fact.offset : fact.offset + fact.size], "little")
        assert word == ((1 << bits) - 1) << fact.shift, path
        rest = data[: fact.offset] + data[fact.offset + fact.size :]
        assert not any(rest), path


@EVERY
def test_a_structure_without_values_is_zeroes_of_the_kernels_size(name: str) -> None:
    assert encode(name, {}) == bytes(LAYOUTS[name]["sizeof"])


def test_views_of_one_word_are_all_shown() -> None:
    _, fields = decode("pci_child_message", bytes.fromhex("0500494222000000"))
    assert fields == {
        "message_type.type": 0x42490005,
        "wslot.slot": 0x22,
        "wslot.bits.dev": 2,
        "wslot.bits.func": 1,
        "wslot.bits.reserved": 0,
    }


def test_agreeing_views_are_accepted_and_contradicting_ones_name_the_path() -> None:
    agreeing = {"wslot.slot": 0x22, "wslot.bits.dev": 2, "wslot.bits.func": 1}
    assert encode("pci_child_message", agreeing)[4] == 0x22
    with pytest.raises(WorkbenchError, match=r"wslot\.bits\.func contradicts wslot\.slot"):
        encode("pci_child_message", agreeing | {"wslot.bits.func": 2})


def test_a_missing_view_does_not_contradict() -> None:
    assert encode("hv_msi_entry", {"address.destination_id": 5, "data.vector": 0x30}) == (
        bytes.fromhex("0050000030000000")
    )


def test_an_interrupt_target_is_a_mask_unless_a_set_is_named() -> None:
    assert len(encode("hv_retarget_device_interrupt", {"int_target.vp_mask": 4})) == 56
    set_of_two = {"int_target.vp_set.bank_contents[1]": 3}
    assert len(encode("hv_retarget_device_interrupt", set_of_two)) == 80


def test_a_guid_is_one_key_of_canonical_text() -> None:
    text = "44c4f61d-4444-4400-9d52-802e27ede19f"
    data = encode("vmbus_channel_offer_channel", {"offer.if_type": text})
    assert data[8:24].hex() == "1df6c444444400449d52802e27ede19f"
    assert decode("vmbus_channel_offer_channel", data)[1]["offer.if_type"] == text
    with pytest.raises(WorkbenchError, match=r"offer\.if_type: 'nobody' is no GUID"):
        encode("vmbus_channel_offer_channel", {"offer.if_type": "nobody"})


def test_an_array_of_open_length_ends_with_the_last_element_named() -> None:
    data = encode("pci_bus_relations", {"device_count": 2, "func[1].ser": 9})
    assert len(data) == 16 + 8 + 2 * 20
    assert decode("pci_bus_relations", data)[1]["func[1].ser"] == 9


def test_both_indices_of_a_two_dimensional_array_are_named() -> None:
    data = encode("pci_resources_assigned", {"memory_range[19][5]": 7})
    assert data[8 + 119] == 7
    with pytest.raises(WorkbenchError, match="has no memory_range"):
        encode("pci_resources_assigned", {"memory_range[20][0]": 7})


def test_a_written_block_is_followed_by_linux_s_four_zero_bytes() -> None:
    data = encode("pci_write_block", {"byte_count": 1, "bytes[0]": 5})
    assert data == bytes.fromhex("00000000 00000000 00000000 01000000 05 00000000")


@pytest.mark.parametrize("extra", [1, 3, 5, 8, 16])
def test_bytes_left_over_beyond_ring_padding_are_refused(extra: int) -> None:
    data = encode("pci_message", {"type": 1})
    with pytest.raises(WireFormatError) as caught:
        decode("pci_message", data + bytes(extra))
    assert (caught.value.field, caught.value.offset) == ("type", 4)


def test_ring_padding_is_left_aside() -> None:
    assert decode("pci_message", bytes(8)) == (4, {"type": 0})


def test_an_element_cut_short_is_blamed_on_the_last_whole_one() -> None:
    data = encode("pci_bus_relations2", {"func[0].ser": 1})
    with pytest.raises(WireFormatError) as caught:
        decode("pci_bus_relations2", data + bytes(20))
    assert (caught.value.field, caught.value.offset) == ("func[0]", 52)


def test_too_few_bytes_name_field_and_offset() -> None:
    with pytest.raises(WireFormatError, match=r"pci_bus_d0_entry.mmio_base at offset 8: 4 bytes"):
        decode("pci_bus_d0_entry", bytes(12))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("protocol_version", 1 << 32, "is no integer in 0..4294967295"),
        ("protocol_version", -1, "is no integer"),
        ("protocol_version", "1", "is no integer"),
        ("protocol_version", True, "is no integer"),
        ("version", 1, "has no version; it has message_type.type, protocol_version"),
    ],
)
def test_a_wrong_value_or_path_is_named(path: str, value: int | str, reason: str) -> None:
    with pytest.raises(WorkbenchError, match=reason):
        encode("pci_version_request", {path: value})


def test_a_signed_field_takes_its_own_range() -> None:
    assert encode("pci_response", {"status": -1})[16:] == b"\xff\xff\xff\xff"
    with pytest.raises(WorkbenchError, match=r"-2147483648\.\.2147483647"):
        encode("pci_response", {"status": 0xC0000059})


def test_an_unknown_structure_is_answered_with_the_known_names() -> None:
    with pytest.raises(WorkbenchError, match="no structure 'pci_mesage'; there are packet, fbsd_"):
        decode("pci_mesage", b"")
    assert names()[0] == "packet"
    assert set(names()[1:]) == set(RECORDS)


@pytest.mark.parametrize(
    "path", ["func[99999].ser", "func[4294967296].ser", "func[-1].ser", "func[1]", "func[x].ser"]
)
def test_an_index_out_of_range_is_refused(path: str) -> None:
    with pytest.raises(WorkbenchError, match="func"):
        encode("pci_bus_relations", {path: 1})


def test_a_packet_whose_lengths_do_not_add_up_is_refused() -> None:
    good = VmpacketDescriptor(6, 2, 3, 0, 0).build() + bytes(8) + bytes(8)
    decode("packet", good)
    for damage, field in (
        (good[:10], "trans_id"),
        (good[:20], "payload"),
        (good[:-1], "trailer"),
        (good + b"\0", "trailer"),
        (good[:2] + b"\1" + good[3:], "hdr.offset8"),
        (good[:2] + b"\4" + good[3:], "hdr.offset8"),
        (good[:4] + b"\1" + good[5:], "hdr.len8"),
        (good[:4] + b"\xff\xff" + good[6:], "payload"),
    ):
        with pytest.raises(WireFormatError) as caught:
            decode("packet", damage)
        assert caught.value.field == field


def test_a_damaged_packet_raises_nothing_but_a_wire_format_error() -> None:
    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(damaged(RECORDS["vmdata_gpa_direct"]))
    def refuse(data: bytes) -> None:
        descriptor = VmpacketDescriptor(6, 2, 2 + -(-len(data) // 8), 0, 0).build()
        padded = data + bytes(-len(data) % 8)
        refusal("packet", descriptor + padded + bytes(8))

    refuse()


def test_the_descriptor_is_part_of_structures_that_begin_with_it() -> None:
    _, fields = decode("pci_create_int_response", bytes(40))
    assert list(fields)[:6] == [
        "response.hdr.type",
        "response.hdr.offset8",
        "response.hdr.len8",
        "response.hdr.flags",
        "response.hdr.trans_id",
        "response.status",
    ]
    assert DESCRIPTOR_BYTES == VmpacketDescriptor.SIZE
