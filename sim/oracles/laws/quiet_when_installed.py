# SPDX-License-Identifier: MIT
"""While a bus is installed its channel carries little: its devices' data never goes this way.

The guest sends changes of interrupts, configuration blocks, a resource query for each function that
a list brings, and the answers to ejects. All else belongs to a bus that comes or goes.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import BusStateChanged, KernelCrashed
from host.events import ChannelOffered
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.oracles.law import (
    AWAKE,
    CREATE_MESSAGES,
    FROM_GUEST,
    HEAD_BYTES,
    Finding,
    Law,
    Sees,
    forget,
    forget_all,
    slot_named,
    slot_of,
    to_guest,
    to_host,
)

LAWFUL = frozenset(
    to_host(message).head
    for message in (
        *CREATE_MESSAGES,
        MessageType.PCI_DELETE_INTERRUPT_MESSAGE,
        MessageType.PCI_DELETE_INTERRUPT_MESSAGE2,
        MessageType.PCI_READ_BLOCK,
        MessageType.PCI_WRITE_BLOCK,
        MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS,
        MessageType.PCI_EJECTION_COMPLETE,
    )
)


class QuietWhenInstalled(Law):
    """``lists`` counts the lists a channel has carried, ``asked`` the queries by relid and slot."""

    name = "the channel of an installed bus carries only what its functions need"
    kind = "protocol"

    def __init__(self) -> None:
        self._installed: set[int] = set()
        self._lists: dict[int, int] = {}
        self._asked: dict[tuple[int, int], int] = {}

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._installed.discard(event.relid)
        self._lists[event.relid] = 0
        forget(self._asked, event.relid)

    def _state_changed(self, event: BusStateChanged, *_: object) -> Finding:
        if event.state != "installed":
            self._installed.discard(event.relid)
            return None
        self._installed.add(event.relid)
        return AWAKE

    def _listed(self, event: PacketPublished, *_: object) -> None:
        self._lists[event.relid] = self._lists.get(event.relid, 0) + 1

    def _published(self, event: PacketPublished, _at_ns: int, _context: object) -> Finding:
        if event.relid not in self._installed:
            return None
        head = event.payload[:HEAD_BYTES]
        if head in LAWFUL:
            return None
        return f"message {int.from_bytes(head, 'little'):#x} while the bus is installed"

    def _queried(self, event: PacketPublished, *_: object) -> Finding:
        """A list makes the guest ask once for each of its functions that are new."""
        place = event.relid, slot_of(event)
        often = self._asked[place] = self._asked.get(place, 0) + 1
        if often <= self._lists.get(event.relid, 0):
            return None
        return f"resources of {slot_named(place[1])} queried more often than lists have come"

    def _crashed(self, *_: object) -> None:
        forget_all(self._installed, self._lists, self._asked)

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        BusStateChanged: _state_changed,
        to_guest(MessageType.PCI_BUS_RELATIONS): _listed,
        to_guest(MessageType.PCI_BUS_RELATIONS2): _listed,
        to_host(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS): _queried,
    }
    sees_awake: ClassVar[Sees] = {FROM_GUEST: _published}
