# SPDX-License-Identifier: MIT
"""Whose fault it was. The peer's is remote, ours is local; the lab's verdicts live in ``sim``."""


class ProtocolError(Exception):
    """Base of both; never raised itself."""


class LocalProtocolError(ProtocolError):
    """We asked for something the protocol forbids: a full ring, a value that does not fit."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something the protocol forbids."""


class WireFormatError(RemoteProtocolError):
    """Bytes that are no valid image of the structure; names the field path and byte offset."""

    def __init__(self, struct: str, field: str, offset: int, reason: str) -> None:
        super().__init__(f"{struct}.{field} at offset {offset}: {reason}")
        self.struct = struct
        self.field = field
        self.offset = offset
        self.reason = reason
