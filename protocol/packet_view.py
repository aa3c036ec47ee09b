# SPDX-License-Identifier: MIT
"""A whole ring packet as ``{path: value}``: descriptor, payload, padding, trailer.

For the workbench. Unlike a ring's reader it refuses every length that does not add up. Knows the
in-band messages of vPCI, so that their padding can be told from data.
"""

from collections.abc import Callable, Mapping
from typing import Final

from protocol.codec import WireRecord
from protocol.errors import WireFormatError
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vmbus_packets import VmpacketDescriptor
from protocol.vpci import RECORDS, WRITE_BLOCK_QUIRK_BYTES, PciWriteBlock, message_type

PACKET: Final = "packet"
ALIGNMENT: Final = 8  # packets are padded to a multiple of this
TRAILER_BYTES: Final = 8
Value = int | str
DecodeRecord = Callable[[type[WireRecord], bytes], tuple[int, Mapping[str, Value]]]


def decode_packet(data: bytes, decode_record: DecodeRecord) -> tuple[int, dict[str, Value]]:
    """(size, ``{path: value}``) of a packet with its trailer.

    ``hdr.*`` is the descriptor, ``trailer.*`` the eight bytes behind the packet. ``payload`` and
    ``padding`` are hexadecimal; for an in-band vPCI message ``message`` names the structure and
    ``payload.*`` its fields, for other packets padding cannot be told and counts as payload.
    ``header`` is what lies between the descriptor and the payload. Raises WireFormatError.
    """
    descriptor = VmpacketDescriptor.parse(data)
    start, end = descriptor.offset8 * 8, descriptor.len8 * 8
    _check_lengths(descriptor, len(data))
    values: dict[str, Value] = {
        f"hdr.{name}": getattr(descriptor, name) for name in descriptor.__struct_fields__
    }
    header, body = data[VmpacketDescriptor.SIZE : start], data[start:end]
    if header:
        values["header"] = header.hex()
    used = len(body)
    record = _record_of(descriptor, body)
    if record is not None:
        used, fields = decode_record(record, _cut(record, body))
        if len(body) - used >= ALIGNMENT:
            used = len(body)  # too much for padding: the sender's structure goes on
        values["message"] = record.KERNEL_NAME
        values |= {f"payload.{path}": value for path, value in fields.items()}
    values["payload"] = body[:used].hex()
    values["padding"] = body[used:].hex()
    values["trailer.reserved"] = int.from_bytes(data[end : end + 4], "little")
    values["trailer.offset"] = int.from_bytes(data[end + 4 : end + 8], "little")
    return len(data), values


def _check_lengths(descriptor: VmpacketDescriptor, size: int) -> None:
    least = VmpacketDescriptor.SIZE // 8
    if descriptor.len8 < least:
        reason = f"{descriptor.len8} is less than the descriptor's own {least}"
        raise WireFormatError(PACKET, "hdr.len8", 4, reason)
    if not least <= descriptor.offset8 <= descriptor.len8:
        reason = f"{descriptor.offset8} is outside {least}..{descriptor.len8}"
        raise WireFormatError(PACKET, "hdr.offset8", 2, reason)
    end = descriptor.len8 * 8
    if size < end:
        raise WireFormatError(PACKET, "payload", size, f"{end - size} bytes too short")
    if size != end + TRAILER_BYTES:
        reason = f"{size - end} bytes where a trailer has {TRAILER_BYTES}"
        raise WireFormatError(PACKET, "trailer", end, reason)


def _record_of(descriptor: VmpacketDescriptor, body: bytes) -> type[WireRecord] | None:
    if descriptor.type != VM_PKT_DATA_INBAND or len(body) < 4:
        return None
    return RECORDS.get(message_type(body))


def _cut(record: type[WireRecord], body: bytes) -> bytes:
    """The body without padding where only a count in it can tell them apart."""
    if record is not PciWriteBlock:
        return body
    count = PciWriteBlock.parse(body).byte_count
    return body[: PciWriteBlock.SIZE + count + WRITE_BLOCK_QUIRK_BYTES]
