# SPDX-License-Identifier: MIT
"""Messages that depend on nothing but a slot or a version, as bytes. Knows no bus and no channel.

Every device sends the same few, so each is built once and kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from protocol.status import STATUS_SUCCESS
from protocol.vpci import PciChildMessage, PciEjectResponse, PciMessage, PciVersionRequest

if TYPE_CHECKING:
    from protocol.ids import SlotNumber
    from protocol.vpci import MessageType, PciResourcesAssigned, PciResourcesAssigned2

MESSAGES_KEPT = 1024  # of each kind; a bus has 256 slots


@lru_cache(maxsize=MESSAGES_KEPT)
def version_request(protocol_version: int) -> bytes:
    """PCI_QUERY_PROTOCOL_VERSION."""
    return PciVersionRequest(protocol_version=protocol_version).build()


@lru_cache(maxsize=MESSAGES_KEPT)
def bus_message(message_type: MessageType) -> bytes:
    """A message about the whole bus that is only a type."""
    return PciMessage(message_type).build()


@lru_cache(maxsize=MESSAGES_KEPT)
def child_message(message_type: MessageType, wslot: SlotNumber) -> bytes:
    """A message that is only a type and a slot."""
    return PciChildMessage(message_type, wslot).build()


@lru_cache(maxsize=MESSAGES_KEPT)
def resources_assigned(
    record: type[PciResourcesAssigned | PciResourcesAssigned2], wslot: SlotNumber
) -> bytes:
    """RESOURCES_ASSIGNED in a dialect's form."""
    return record(wslot=wslot).build()


@lru_cache(maxsize=MESSAGES_KEPT)
def ejection_complete(wslot: SlotNumber) -> bytes:
    """EJECTION_COMPLETE with success."""
    return PciEjectResponse(wslot=wslot, status=STATUS_SUCCESS).build()
