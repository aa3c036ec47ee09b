# SPDX-License-Identifier: MIT
"""Interrupts are created for functions whose resources the guest has assigned.

RESOURCES_ASSIGNED is what moves the host's state machine on. Linux sends it once, for the functions
that are there when the bus is set up; one that comes later gets none, which is not held against it.
After a suspend that failed the resources are gone, and the function driver starts again all the
same (open item O8).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import ChildAdded, FunctionReturned, KernelCrashed
from host.events import ChannelOffered, ChannelOpened
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.oracles.hibernation import Hibernations
from sim.oracles.law import (
    ASSIGN_MESSAGES,
    CREATE_MESSAGES,
    Finding,
    Law,
    OpenItem,
    Sees,
    forget,
    forget_all,
    slot_named,
    slot_of,
    to_host,
)

Place = tuple[int, int]  # relid, wslot


class InterruptsOfAssigned(Law):
    """``assigned`` are the functions with resources, ``late`` those that came afterwards."""

    name = "interrupts are created for assigned functions only"
    kind = "protocol"

    def __init__(self) -> None:
        self._assigned: set[Place] = set()
        self._set_up: set[int] = set()  # relids whose resources were assigned
        self._late: set[Place] = set()
        self._hibernations = Hibernations()

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        self._hibernations.see(event)

    def _fresh(self, event: ChannelOffered | ChannelOpened, *_: object) -> None:
        self._set_up.discard(event.relid)
        forget(self._assigned, event.relid)
        forget(self._late, event.relid)

    def _child_added(self, event: ChildAdded, *_: object) -> None:
        if event.relid in self._set_up:
            self._late.add((event.relid, event.wslot))

    def _assign(self, event: PacketPublished, *_: object) -> None:
        self._set_up.add(event.relid)
        self._assigned.add((event.relid, slot_of(event)))

    def _release(self, event: PacketPublished, *_: object) -> None:
        self._assigned.discard((event.relid, slot_of(event)))

    def _create(self, event: PacketPublished, *_: object) -> Finding:
        place = event.relid, slot_of(event)
        if place in self._assigned or place in self._late:
            return None
        slot = slot_named(place[1])
        message = f"an interrupt created for {slot}, which has no resources assigned"
        return OpenItem("O8", message) if event.relid in self._hibernations.half_down else message

    def _crashed(self, *_: object) -> None:
        forget_all(self._assigned, self._set_up, self._late)
        self._hibernations = Hibernations()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _fresh,
        ChannelOpened: _fresh,
        ChildAdded: _child_added,
        FunctionReturned: _returned,
        to_host(MessageType.PCI_RESOURCES_RELEASED): _release,
        **dict.fromkeys(map(to_host, ASSIGN_MESSAGES), _assign),
        **dict.fromkeys(map(to_host, CREATE_MESSAGES), _create),
    }
