# SPDX-License-Identifier: MIT
"""What must hold of a guest whenever it is idle, whatever a host has sent: lawful, and bounded.

Each function names what is wrong, in words. Reads and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guest.kernel.kernel import LOG_LINES_MAX
from guest.kernel.memory import is_dead
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.reference import ReferenceGuest
from guest.vmbus.channel import VmbusChannel
from protocol.ring import MAX_PACKET_BYTES
from protocol.vpci import PciBusRelations, PciFunctionDescription
from sim.engine import Engine

DESCRIPTOR_BYTES: Final = 16
# What the longest list holds that a reader has a buffer for. An eject takes the bus's first two
# references of a function, so that no more are ever on a bus than one list named.
CHILDREN_MAX: Final = (
    MAX_PACKET_BYTES - DESCRIPTOR_BYTES - PciBusRelations.SIZE
) // PciFunctionDescription.SIZE
OBJECTS_A_FUNCTION: Final = 4  # the function, its slot, its PCI device, its driver's data
OBJECTS_AN_OFFER: Final = 4  # a device that goes leaves its functions behind (open item O9)
OBJECTS_OF_THE_REST: Final = 30  # a bus, its channel, vectors: measured 15
CONTEXTS_MAX: Final = 4  # alive while nothing goes on; a queue's worker lives as long as its work


def guest_complaints(guest: ReferenceGuest, engine: Engine, offers: int) -> Iterator[str]:
    """What is wrong with an idle guest that has had so many offers."""
    functions = 0
    for channel in guest.vmbus.channels.values():
        if is_dead(channel):
            continue  # what is left in the table of one that was renumbered (open item O39)
        yield from _channel_complaints(channel)
        device = channel.device_obj
        if device is None or is_dead(device) or device.driver is None:
            continue
        if isinstance(device.drvdata, HvPciBus) and not is_dead(device.drvdata):
            yield from _bus_complaints(device.drvdata)
            functions += len(list(device.drvdata.children))
    yield from _bound_complaints(guest, engine, offers, functions)


def _bound_complaints(
    guest: ReferenceGuest, engine: Engine, offers: int, functions: int
) -> Iterator[str]:
    lawful = functions * OBJECTS_A_FUNCTION + offers * OBJECTS_AN_OFFER + OBJECTS_OF_THE_REST
    counts = {
        "objects": (len(guest.kernel.heap.objects()), lawful),
        "log lines": (len(guest.kernel.log_lines), LOG_LINES_MAX),
        "channels": (len(guest.vmbus.channels), offers),
        "contexts": (len(engine.waiting()), CONTEXTS_MAX),
    }
    for what, (there, allowed) in counts.items():
        if there > allowed:
            yield f"{there} {what} where {allowed} may be"


def _channel_complaints(channel: VmbusChannel) -> Iterator[str]:
    named = f"channel {channel.relid}"
    requestor = channel.requestor
    if requestor is not None and not is_dead(requestor) and requestor.in_use > requestor.size:
        yield f"{named} has {requestor.in_use} requests in {requestor.size} places"
    for lock in (channel.sched_lock, channel.ring_lock, channel.requestor_lock):
        if lock.owner is not None:
            yield f"{named}: {lock} is held by somebody who is idle"


def _bus_complaints(hbus: HvPciBus) -> Iterator[str]:
    named = f"bus {hbus.relid}"
    children = list(hbus.children)
    if len(children) > CHILDREN_MAX:
        yield f"{named} has {len(children)} functions where {CHILDREN_MAX} may be"
    if any(is_dead(child) for child in children):
        yield f"{named} lists a function that was freed"
    if any(child.hbus is not hbus for child in children):
        yield f"{named} lists another bus's function"
    if hbus.state is HvPciBusState.INSTALLED and not hbus.dr_list.empty():
        yield f"{named} has a list that nobody deals with"
    if hbus.state is HvPciBusState.INSTALLED and hbus.dialect is None:
        yield f"{named} is installed without a version"
