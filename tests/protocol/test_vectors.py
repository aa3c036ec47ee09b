# SPDX-License-Identifier: MIT
"""Every message whose bytes are known, in both directions: records, workbench, packets, SynIC."""

from collections.abc import Mapping
from typing import Any

import pytest

from protocol.synic import (
    POSTED_PAYLOAD_AT,
    message_payload,
    post_message_input,
    posted_fields,
    synic_message,
)
from protocol.workbench import RECORDS, decode, encode
from tests.protocol.facts import VECTORS, data_of, payload_of

PLAIN = [vector for vector in VECTORS if "+" not in vector["struct"]]
PACKETS = [vector for vector in VECTORS if "packet_hex" in vector]
POSTED = [vector for vector in VECTORS if "post_message_input_hex" in vector]
DELIVERED = [vector for vector in VECTORS if "synic_message_hex" in vector]
# What a vector's bytes hold beyond its listed fields, as its note says.
BEYOND_THE_FIELDS: Mapping[str, Mapping[str, int]] = {
    "read_block_completion_128": {f"bytes[{i}]": i ^ 0x5A for i in range(128)},
    "gpadl_header_ring": {f"range[0].pfn_array[{i}]": 0x20000 + i for i in range(10)},
    "resources_assigned_openvmm_client": {"msi_resources[9]": 0},
    "ring_control_page_initial": {"reserved2[3]": 0},
}


def listed_fields(vector: Mapping[str, Any]) -> dict[str, int]:
    """The vector's own fields as the workbench's paths; facts about the packet left out."""
    return {path: value for path, value in vector["fields"].items() if path[0] not in "@#"}


def all_fields(vector: Mapping[str, Any]) -> dict[str, int | str]:
    """As many fields as say everything about the vector's bytes."""
    fields: dict[str, int | str] = {
        **BEYOND_THE_FIELDS.get(vector["id"], {}),
        **listed_fields(vector),
    }
    for path, value in vector["fields"].items():
        if path.startswith("@hdr."):
            fields[RECORDS[vector["struct"]].DESCRIPTOR_PATH + path[4:]] = value
        if path[0] == "#":
            fields[path[1:]] = guid_text(value)
    return fields


def guid_text(wire_hex: str) -> str:
    """Canonical text of a GUID's bytes: three little-endian groups, then bytes as they are."""
    b = bytes.fromhex(wire_hex)
    groups = b[3::-1], b[5:3:-1], b[7:5:-1], b[8:10], b[10:]
    return "-".join(group.hex() for group in groups)


@pytest.mark.parametrize("vector", PLAIN, ids=lambda vector: vector["id"])
def test_a_known_message_parses_and_builds_back_to_the_same_bytes(vector: dict[str, Any]) -> None:
    data = payload_of(vector)
    assert RECORDS[vector["struct"]].parse(data).build() == data


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_known_message_decodes_to_its_fields(vector: dict[str, Any]) -> None:
    size, fields = decode(vector["struct"], data_of(vector))
    assert size == len(data_of(vector))
    expected = all_fields(vector)
    assert {path: fields[path] for path in expected} == expected


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_known_message_is_encoded_from_its_fields(vector: dict[str, Any]) -> None:
    assert encode(vector["struct"], all_fields(vector)) == data_of(vector)


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector["id"])
def test_a_known_packet_decodes_to_descriptor_payload_padding_and_trailer(
    vector: dict[str, Any],
) -> None:
    data, facts = bytes.fromhex(vector["packet_hex"]), vector["packet"]
    size, fields = decode("packet", data)
    assert size == facts["total_len"]
    for name in ("type", "offset8", "len8", "flags", "trans_id"):
        assert fields[f"hdr.{name}"] == facts[name]
    assert (fields["trailer.reserved"], fields["trailer.offset"]) == (0, facts["ring_offset"])
    body = str(fields["payload"]) + str(fields["padding"])
    assert bytes.fromhex(body) == data[16:-8]
    if "message" in fields and vector["group"] == "vpci":
        assert len(str(fields["padding"])) == 2 * facts["pad_len"]
        listed = listed_fields(vector)
        assert {path: fields["payload." + path] for path in listed} == listed


@pytest.mark.parametrize("vector", POSTED, ids=lambda vector: vector["id"])
def test_a_posted_message_is_the_known_hypercall_input(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["post_message_input_hex"])
    connection_id, _, size = posted_fields(data)
    payload = data[POSTED_PAYLOAD_AT : POSTED_PAYLOAD_AT + size]
    assert payload == data_of(vector)
    assert post_message_input(connection_id, payload) == data


@pytest.mark.parametrize("vector", DELIVERED, ids=lambda vector: vector["id"])
def test_a_delivered_message_is_the_known_slot(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["synic_message_hex"])
    assert message_payload(data) == (1, data_of(vector))
    assert synic_message(data_of(vector)) == data
