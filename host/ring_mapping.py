# SPDX-License-Identifier: MIT
"""From the pages a guest shares to the two rings of a channel. Knows no channel state."""

from host.clock import GuestMemory
from host.vmbus_effects import OpenRing
from protocol.errors import RemoteProtocolError
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.ids import Gpa
from protocol.ring import Ring
from protocol.ring_rules import OPENVMM as STRICT_READER


def map_rings(memory: GuestMemory, effect: OpenRing) -> tuple[Ring, Ring]:
    """The guest-to-host ring, which the host reads, and the host-to-guest ring.

    Model: a strict reader, OpenVMM's, on every profile. Raises RemoteProtocolError for pages that
    are scattered or none of the guest's, LocalProtocolError for a ring without data.
    """
    split = effect.downstream_page
    inbound, outbound = effect.pages[:split], effect.pages[split:]
    return Ring(_window(memory, inbound), STRICT_READER), Ring(_window(memory, outbound))


def _window(memory: GuestMemory, pages: tuple[Gpa, ...]) -> memoryview:
    """Model: the pages of a ring must follow each other, as Linux allocates them."""
    first = pages[0]
    if any(page != first + index * HV_HYP_PAGE_SIZE for index, page in enumerate(pages)):
        raise RemoteProtocolError("ring pages are scattered")
    try:
        return memory.window(first, len(pages) * HV_HYP_PAGE_SIZE)
    except LookupError as nowhere:
        raise RemoteProtocolError(f"ring pages: {nowhere}") from None
