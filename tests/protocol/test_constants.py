# SPDX-License-Identifier: MIT
"""Codes, limits and names against the numbers a compiler printed."""

from typing import Any

import pytest

from protocol import hypercall, status, synic, vmbus, vpci
from protocol.errors import WireFormatError
from protocol.openvmm import ResourceType
from protocol.versions import (
    LINUX_VMBUS_VERSIONS,
    LINUX_VPCI_VERSIONS,
    VMBUS_DIALECTS,
    VPCI_DIALECTS,
    vpci_dialect,
)
from tests.protocol.facts import CONSTANTS


def plain(value: Any) -> int:
    """The number in one of the fact file's three spellings."""
    if isinstance(value, dict):
        return int(value["dec"])
    return int(value, 16) if isinstance(value, str) else int(value)


def agree(module: object, facts: dict[str, Any]) -> int:
    """Compare every constant that both have; how many that were."""
    common = [name for name in facts if hasattr(module, name)]
    for name in common:
        assert getattr(module, name) == plain(facts[name]), name
    return len(common)


def test_vpci_message_types_have_linux_s_names_or_openvmms() -> None:
    types = {int(code, 16): names for code, names in CONSTANTS["vpci_message_types"].items()}
    assert {int(member): member.name for member in vpci.MessageType} == {
        code: names.get("linux", names.get("openvmm")) for code, names in types.items()
    }


def test_control_message_types_have_linux_s_names() -> None:
    linux = CONSTANTS["vmbus_channel_message_types"]["linux"]
    assert agree(vmbus.ChannelMessageType, linux) == len(linux) - 1  # all but the count
    openvmm = CONSTANTS["vmbus_channel_message_types"]["openvmm"]
    for name in ("MODIFY_CONNECTION", "MODIFY_CONNECTION_RESPONSE"):
        assert vmbus.ChannelMessageType[name] == plain(openvmm[name])


def test_vmbus_numbers_agree() -> None:
    assert agree(vmbus, CONSTANTS["vmbus_packet_types"]) == 14
    assert agree(vmbus, CONSTANTS["vmbus_connection_ids"]) == 5
    assert agree(vmbus, CONSTANTS["vmbus_limits"]) == 5
    assert agree(synic, CONSTANTS["vmbus_limits"]) == 3
    assert int(CONSTANTS["vmbus_limits"]["gpadl_handle_seed_linux"], 16) == vmbus.FIRST_GPADL_HANDLE
    assert CONSTANTS["vmbus_limits"]["gpadl_header_max_pfns"] == vmbus.GPADL_HEADER_PFNS_MAX
    assert CONSTANTS["vmbus_limits"]["gpadl_body_max_pfns"] == vmbus.GPADL_BODY_PFNS_MAX
    guid = CONSTANTS["vpci_interface_type_guid"]
    assert str(vmbus.VPCI_INTERFACE_TYPE) == guid["text"]
    assert vmbus.VPCI_INTERFACE_TYPE.bytes_le.hex() == guid["wire_bytes_hex"]


def test_hypercall_numbers_agree() -> None:
    assert agree(hypercall, CONSTANTS["hypercalls"]) == len(CONSTANTS["hypercalls"])
    assert agree(hypercall, CONSTANTS["hypercall_control_word"]) == 9
    statuses = CONSTANTS["hypercall_status"]
    assert agree(hypercall, statuses) == len(statuses)
    ours = {name for name in vars(hypercall) if name.startswith("HV_STATUS_")}
    assert {name.removeprefix("HV_STATUS_") for name in ours - set(statuses)} == {
        "INVALID_PARTITION_ID",
        "INVALID_VP_INDEX",
        "INVALID_DEVICE_ID",
    }


def test_the_control_word_of_a_retarget_counts_the_set_s_words() -> None:
    word = hypercall.control_word(hypercall.HVCALL_RETARGET_INTERRUPT, 2)
    assert word == 262270  # wire-vectors: retarget_interrupt_vpset_1_bank
    assert hypercall.call_code(word) == 0x7E
    assert hypercall.variable_header_qwords(word) == 2


def test_statuses_are_signed_and_have_their_names() -> None:
    facts = CONSTANTS["ntstatus"]
    assert {name: getattr(status, name) for name in facts} == {
        name: fact["signed32"] for name, fact in facts.items()
    }
    for name, fact in facts.items():
        assert status.unsigned(getattr(status, name)) == fact["unsigned"]
        assert status.signed(fact["unsigned"]) == fact["signed32"]


def test_openvmms_resource_types_agree() -> None:
    facts = CONSTANTS["openvmm_enums"]["ResourceType"]
    assert {member.name: int(member) for member in ResourceType} == {
        name: plain(value) for name, value in facts.items()
    }


def test_the_versions_are_those_that_linux_and_openvmm_offer() -> None:
    facts = CONSTANTS["vpci_protocol_versions"]
    order = facts["probe_order"]
    names = [VPCI_DIALECTS[version].name for version in LINUX_VPCI_VERSIONS]
    assert names == order["linux_6.1_and_6.12"]
    for version, dialect in VPCI_DIALECTS.items():
        assert version == int(facts[dialect.name]["value"], 16)
        assert vpci_dialect(dialect.name) is dialect
    with pytest.raises(ValueError, match=r"no vPCI version '9.9'; there are 1.1, 1.2"):
        vpci_dialect("9.9")
    names = [VMBUS_DIALECTS[version].name for version in LINUX_VMBUS_VERSIONS]
    assert names == CONSTANTS["vmbus_versions"]["linux_probe_order"]


@pytest.mark.parametrize("name", ["1.1", "1.2", "1.3", "1.4"])
def test_a_dialect_uses_the_structures_its_version_is_said_to_use(name: str) -> None:
    dialect = vpci_dialect(name)
    wire = CONSTANTS["vpci_protocol_versions"][name]["wire"]
    # "NAME(sizeB, remarks)"; the size stands at the first version that has the structure.
    for said, message, size in (
        (wire["relations"], dialect.relations_message, dialect.function_description.SIZE),
        (wire["assigned"], dialect.assigned_message, dialect.resources_assigned.SIZE),
        (wire["create"], dialect.create_message, dialect.create_interrupt.SIZE),
    ):
        stated, _, rest = said.partition("(")
        assert message.name == "PCI_" + stated
        assert not rest or rest.startswith(f"{size}B")
    assert dialect.retarget_by_vp_set == ("sparse" in wire["retarget"])
    assert (dialect.processors == "mask") == (name == "1.1")
    assert dialect.create_interrupt().message_type == dialect.create_message
    assert dialect.bus_relations().message_type == dialect.relations_message
    assert dialect.resources_assigned().message_type == dialect.assigned_message


def test_messages_have_names_and_unknown_types_a_number() -> None:
    assert vpci.message_name(vpci.PciBusD0Entry().build()) == "PCI_BUS_D0ENTRY"
    assert vpci.message_name(b"\x01\x02\x03\x04") == "0x04030201"
    assert vmbus.message_name(vmbus.VmbusChannelOfferChannel().build()) == "OFFERCHANNEL"
    assert vmbus.message_name(b"\xff\0\0\0") == "0xff"
    for module in (vpci, vmbus):
        with pytest.raises(WireFormatError):
            module.message_name(b"\1\2")


def test_a_message_is_parsed_by_its_type() -> None:
    eject = vpci.PciDevIncoming(wslot=3)
    assert vpci.parse_message(eject.build()) == eject
    rescind = vmbus.VmbusChannelRescindOffer(child_relid=17)
    assert vmbus.parse_message(rescind.build()) == rescind
    with pytest.raises(WireFormatError, match=r"pci_message.type at offset 0: 0x00000063 is no"):
        vpci.parse_message(b"c\0\0\0")
    with pytest.raises(WireFormatError, match="0x63 is no control message"):
        vmbus.parse_message(b"c\0\0\0")
    with pytest.raises(WireFormatError, match="child_relid at offset 8"):
        vmbus.parse_message(rescind.build()[:10])


def test_every_record_of_a_message_type_defaults_to_that_type() -> None:
    for code, record in vpci.RECORDS.items():
        shared = {"pci_message", "pci_child_message", "pci_delete_interrupt"}
        if record.KERNEL_NAME not in shared:
            assert vpci.message_type(record().build()) == code
    for code, record in vmbus.RECORDS.items():
        if record is not vmbus.VmbusChannelMessageHeader:
            assert vmbus.message_type(record().build()) == code
