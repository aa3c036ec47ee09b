# SPDX-License-Identifier: MIT
"""Requests that cases send to a host for the sake of the ring they go through."""

from __future__ import annotations

from typing import Final

from protocol.ring import packet_bytes
from protocol.vpci import MessageType, PciChildMessage, PciMessage

REQUIREMENTS: Final = PciChildMessage(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)
"""Is answered by a completion, where one is asked for, and by nothing else."""
REQUEST_BYTES: Final = packet_bytes(REQUIREMENTS.SIZE)
"""What it takes of the ring."""
QUERY: Final = PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS)
"""Is answered by a list."""
