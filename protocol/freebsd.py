# SPDX-License-Identifier: MIT
"""What FreeBSD's guest sends differently from Linux's (``vmbus_pcib.c``). Knows no more."""

from typing import Annotated

from construct import Int32ul

from protocol.codec import WireRecord
from protocol.fields import U32
from protocol.shapes import Bits, Viewed
from protocol.vpci import MessageType


class FbsdPciVersionRequest(WireRecord, frozen=True):
    """``struct pci_version_request`` of FreeBSD: four bytes longer than Linux's.

    Its last bit has no name there; ``padding`` is ours, so that no bit is lost.
    """

    message_type: U32 = MessageType.PCI_QUERY_PROTOCOL_VERSION
    protocol_version: U32 = 0
    reservedz: Annotated[
        int, Viewed(Int32ul, Bits("reservedz", 0, 31), Bits("padding", 31, 1), path=None)
    ] = 0
