# SPDX-License-Identifier: MIT
"""What a protocol version changes, as tables: each version is its predecessor with replacements.

Nobody else compares version numbers: whoever depends on a difference asks the dialect for it.
vPCI: pci-hyperv.c and OpenVMM's vpci_protocol (1.5, 1.6 by name only). VMBus: hyperv.h,
connection.c. Knows no state and who negotiated what.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec.structs import replace

from protocol.vmbus import VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_CONNECTION_ID_4
from protocol.vpci import (
    HvMsiDesc,
    HvMsiDesc2,
    HvMsiDesc3,
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciResourcesAssigned,
    PciResourcesAssigned2,
)


class Dialect(msgspec.Struct, frozen=True):
    """One vPCI version: the structures and codes of the messages that differ."""

    version: int  # as on the wire: major << 16 | minor
    name: str
    bus_relations: type[PciBusRelations] | type[PciBusRelations2]
    function_description: type[PciFunctionDescription] | type[PciFunctionDescription2]
    relations_message: MessageType
    resources_assigned: type[PciResourcesAssigned] | type[PciResourcesAssigned2]
    assigned_message: MessageType
    create_interrupt: (
        type[PciCreateInterrupt] | type[PciCreateInterrupt2] | type[PciCreateInterrupt3]
    )
    interrupt_description: type[HvMsiDesc] | type[HvMsiDesc2] | type[HvMsiDesc3]
    create_message: MessageType
    processors: Literal["mask", "list"]  # how a create request names its virtual processors
    retarget_by_vp_set: bool  # else by a 64-bit mask
    max_vector: int  # the largest the create request's vector field holds


VPCI_1_1 = Dialect(
    version=0x10001,
    name="1.1",
    bus_relations=PciBusRelations,
    function_description=PciFunctionDescription,
    relations_message=MessageType.PCI_BUS_RELATIONS,
    resources_assigned=PciResourcesAssigned,
    assigned_message=MessageType.PCI_RESOURCES_ASSIGNED,
    create_interrupt=PciCreateInterrupt,
    interrupt_description=HvMsiDesc,
    create_message=MessageType.PCI_CREATE_INTERRUPT_MESSAGE,
    processors="mask",
    retarget_by_vp_set=False,
    max_vector=0xFF,
)
VPCI_1_2 = replace(
    VPCI_1_1,
    version=0x10002,
    name="1.2",
    resources_assigned=PciResourcesAssigned2,
    assigned_message=MessageType.PCI_RESOURCES_ASSIGNED2,
    create_interrupt=PciCreateInterrupt2,
    interrupt_description=HvMsiDesc2,
    create_message=MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    processors="list",
    retarget_by_vp_set=True,
)
VPCI_1_3 = replace(
    VPCI_1_2,
    version=0x10003,
    name="1.3",
    bus_relations=PciBusRelations2,
    function_description=PciFunctionDescription2,
    relations_message=MessageType.PCI_BUS_RELATIONS2,
)
VPCI_1_4 = replace(
    VPCI_1_3,
    version=0x10004,
    name="1.4",
    create_interrupt=PciCreateInterrupt3,
    interrupt_description=HvMsiDesc3,
    create_message=MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
    max_vector=0xFFFF_FFFF,
)
VPCI_1_5 = replace(VPCI_1_4, version=0x10005, name="1.5")  # adds RESET_DEVICE (OpenVMM "GE")
VPCI_1_6 = replace(VPCI_1_5, version=0x10006, name="1.6")  # Windows only (OpenVMM "DT")

VPCI_DIALECTS: Mapping[int, Dialect] = MappingProxyType(
    {d.version: d for d in (VPCI_1_1, VPCI_1_2, VPCI_1_3, VPCI_1_4, VPCI_1_5, VPCI_1_6)}
)
# hv_pci_protocol_negotiation(): pci_protocol_versions[], highest first.
LINUX_VPCI_VERSIONS = (0x10004, 0x10003, 0x10002, 0x10001)


class VmbusDialect(msgspec.Struct, frozen=True):
    """One VMBus version: how contact is made and which messages exist."""

    version: int  # as on the wire: major << 16 | minor
    name: str
    message_connection_id: int  # where the contact message is posted
    contact_carries_sint: bool  # else an interrupt page's guest address
    reply_names_connection_id: bool  # later posts go to the version response's msg_conn_id
    unload: bool
    modify_channel: bool
    modify_channel_response: bool
    hardened: bool  # an isolated guest may speak it (vmbus_connect())


VMBUS_2_4 = VmbusDialect(
    version=0x20004,
    name="2.4",
    message_connection_id=VMBUS_MESSAGE_CONNECTION_ID,
    contact_carries_sint=False,
    reply_names_connection_id=False,
    unload=False,
    modify_channel=False,
    modify_channel_response=False,
    hardened=False,
)
VMBUS_3_0 = replace(VMBUS_2_4, version=0x30000, name="3.0", unload=True)
VMBUS_4_0 = replace(VMBUS_3_0, version=0x40000, name="4.0")
VMBUS_4_1 = replace(VMBUS_4_0, version=0x40001, name="4.1", modify_channel=True)
VMBUS_5_0 = replace(
    VMBUS_4_1,
    version=0x50000,
    name="5.0",
    message_connection_id=VMBUS_MESSAGE_CONNECTION_ID_4,
    contact_carries_sint=True,
    reply_names_connection_id=True,
)
VMBUS_5_1 = replace(VMBUS_5_0, version=0x50001, name="5.1")
VMBUS_5_2 = replace(VMBUS_5_1, version=0x50002, name="5.2", hardened=True)
VMBUS_5_3 = replace(VMBUS_5_2, version=0x50003, name="5.3", modify_channel_response=True)

VMBUS_DIALECTS: Mapping[int, VmbusDialect] = MappingProxyType(
    {
        d.version: d
        for d in (
            VMBUS_2_4,
            VMBUS_3_0,
            VMBUS_4_0,
            VMBUS_4_1,
            VMBUS_5_0,
            VMBUS_5_1,
            VMBUS_5_2,
            VMBUS_5_3,
        )
    }
)
# vmbus_connect(): vmbus_versions[], highest first.
LINUX_VMBUS_VERSIONS = tuple(sorted(VMBUS_DIALECTS, reverse=True))


def vpci_dialect(name: str) -> Dialect:
    """The vPCI dialect called ``name`` (``"1.4"``). Raises ValueError that lists the names."""
    by_name = {dialect.name: dialect for dialect in VPCI_DIALECTS.values()}
    if name not in by_name:
        raise ValueError(f"no vPCI version {name!r}; there are {', '.join(by_name)}")
    return by_name[name]
