# SPDX-License-Identifier: MIT
"""The peer port: frames between the laboratory and a guest or a host in another process.

One connection is one virtual machine's life. A frame is a header and a body; all integers are
little-endian. ``docs/peer-port.md`` tells the same to who implements it. Knows no socket, and no
order in which frames may come.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final
from uuid import UUID

from construct import Int64ul

from protocol.codec import WireRecord
from protocol.errors import WireFormatError
from protocol.fields import U16, U32, U64
from protocol.shapes import Greedy, Guid, UpTo

PORT_VERSION: Final = 1
MAGIC: Final = int.from_bytes(b"VPCP", "little")
ROLE_HOST: Final = 1
ROLE_GUEST: Final = 2
FLAG_DRIVES: Final = 1  # of HELLO: the sender says PING, and nothing happens but before its PONG

NAME_BYTES_MAX: Final = 64
TEXT_BYTES_MAX: Final = 240
PAYLOAD_BYTES_MAX: Final = 16384  # the ring of a vPCI channel holds no more
HYPERCALL_BYTES_MAX: Final = 4096  # a page, as the hypervisor has it
MMIO_SIZES: Final = (1, 2, 4, 8)

DONE_OK: Final = 0
DONE_NOT_SUPPORTED: Final = 1  # it never can
DONE_REFUSED: Final = 2  # it can, but not now: the device is gone, nothing to resume
DONE_FAILED: Final = 3  # it tried

Guid16 = Annotated[UUID, Guid()]
Text = Annotated[bytes, UpTo(TEXT_BYTES_MAX, declared=TEXT_BYTES_MAX)]
Name = Annotated[bytes, UpTo(NAME_BYTES_MAX, declared=NAME_BYTES_MAX)]
Payload = Annotated[bytes, UpTo(PAYLOAD_BYTES_MAX, declared=PAYLOAD_BYTES_MAX)]
CallBytes = Annotated[bytes, UpTo(HYPERCALL_BYTES_MAX, declared=HYPERCALL_BYTES_MAX)]
Words = Annotated[tuple[int, ...], Greedy(Int64ul)]
NO_GUID: Final = UUID(int=0)


class FrameHeader(WireRecord, frozen=True):
    """Before every body. ``length`` is the body's, in bytes; ``kind`` says what it is."""

    length: U32 = 0
    kind: U32 = 0


class Hello(WireRecord, frozen=True):
    """First frame of either side. ``orders``: bit n says that the sender can do order n."""

    KERNEL_NAME: ClassVar[str] = "HELLO"
    magic: U32 = MAGIC
    port_version: U16 = PORT_VERSION
    role: U16 = 0
    flags: U32 = 0
    vps: U32 = 0
    orders: U64 = 0
    name: Name = b""


class Ping(WireRecord, frozen=True):
    """Have you done what came before? Answered when the sender of the answer waits for a frame."""

    KERNEL_NAME: ClassVar[str] = "PING"
    token: U32 = 0


class Pong(WireRecord, frozen=True):
    """The answer to the PING with that token."""

    KERNEL_NAME: ClassVar[str] = "PONG"
    token: U32 = 0


class Error(WireRecord, frozen=True):
    """The sender cannot go on, and why (UTF-8). Nothing follows."""

    KERNEL_NAME: ClassVar[str] = "ERROR"
    text: Text = b""


class Bye(WireRecord, frozen=True):
    """This life is over. Nothing follows."""

    KERNEL_NAME: ClassVar[str] = "BYE"
    reserved: U32 = 0


class Offered(WireRecord, frozen=True):
    """Host to guest: a vPCI channel is offered. The host chooses its number."""

    KERNEL_NAME: ClassVar[str] = "OFFER"
    channel: U32 = 0
    reserved: U32 = 0
    instance: Guid16 = NO_GUID


class Rescind(WireRecord, frozen=True):
    """Host to guest: the offer is withdrawn; the guest closes the channel and releases it."""

    KERNEL_NAME: ClassVar[str] = "RESCIND"
    channel: U32 = 0


class Open(WireRecord, frozen=True):
    """Guest to host: open the channel."""

    KERNEL_NAME: ClassVar[str] = "OPEN"
    channel: U32 = 0


class Opened(WireRecord, frozen=True):
    """Host to guest: it is open if ``status`` is 0."""

    KERNEL_NAME: ClassVar[str] = "OPENED"
    channel: U32 = 0
    status: U32 = 0


class Close(WireRecord, frozen=True):
    """Guest to host: the channel is closed from here on; it may be opened again."""

    KERNEL_NAME: ClassVar[str] = "CLOSE"
    channel: U32 = 0


class Released(WireRecord, frozen=True):
    """Guest to host: the number of a rescinded channel is the host's again."""

    KERNEL_NAME: ClassVar[str] = "RELEASED"
    channel: U32 = 0


class PacketFrame(WireRecord, frozen=True):
    """Either way: one ring packet. ``payload`` has no ring padding when it is sent."""

    KERNEL_NAME: ClassVar[str] = "PACKET"
    channel: U32 = 0
    packet_type: U16 = 0
    flags: U16 = 0
    transaction_id: U64 = 0
    payload: Payload = b""


class MmioRead(WireRecord, frozen=True):
    """Guest to host: read 1, 2, 4 or 8 bytes. The guest's processor waits for the value."""

    KERNEL_NAME: ClassVar[str] = "MMIO_READ"
    request: U32 = 0
    size: U32 = 0
    gpa: U64 = 0


class MmioValue(WireRecord, frozen=True):
    """Host to guest: what the read with that ``request`` gave; all ones where nobody answers."""

    KERNEL_NAME: ClassVar[str] = "MMIO_VALUE"
    request: U32 = 0
    reserved: U32 = 0
    value: U64 = 0


class MmioWrite(WireRecord, frozen=True):
    """Guest to host: write 1, 2, 4 or 8 bytes. The guest's processor waits until it is done."""

    KERNEL_NAME: ClassVar[str] = "MMIO_WRITE"
    request: U32 = 0
    size: U32 = 0
    gpa: U64 = 0
    value: U64 = 0


class MmioWritten(WireRecord, frozen=True):
    """Host to guest: the write with that ``request`` is done."""

    KERNEL_NAME: ClassVar[str] = "MMIO_WRITTEN"
    request: U32 = 0


class Hypercall(WireRecord, frozen=True):
    """Guest to host: a hypercall of that processor, by its control word and its input."""

    KERNEL_NAME: ClassVar[str] = "HYPERCALL"
    request: U32 = 0
    vp: U32 = 0
    control: U64 = 0
    data: CallBytes = b""


class HypercallDone(WireRecord, frozen=True):
    """Host to guest: the result register of the call with that ``request``, and its output."""

    KERNEL_NAME: ClassVar[str] = "HYPERCALL_DONE"
    request: U32 = 0
    reserved: U32 = 0
    result: U64 = 0
    output: CallBytes = b""


class Interrupt(WireRecord, frozen=True):
    """Host to guest: a device interrupt reached a virtual processor."""

    KERNEL_NAME: ClassVar[str] = "INTERRUPT"
    vp: U32 = 0
    vector: U32 = 0


class Order(WireRecord, frozen=True):
    """To the implementation under test: do this; ``protocol/peer_orders.py`` has the numbers."""

    KERNEL_NAME: ClassVar[str] = "ORDER"
    request: U32 = 0
    order: U32 = 0
    channel: U32 = 0
    reserved: U32 = 0
    words: Words = ()


class Done(WireRecord, frozen=True):
    """What became of the order with that ``request``: ``DONE_*``, and why (UTF-8)."""

    KERNEL_NAME: ClassVar[str] = "DONE"
    request: U32 = 0
    status: U32 = 0
    text: Text = b""


FRAMES: Final[Mapping[int, type[WireRecord]]] = {
    1: Hello,
    2: Ping,
    3: Pong,
    4: Error,
    5: Bye,
    16: Offered,
    17: Rescind,
    18: Open,
    19: Opened,
    20: Close,
    21: Released,
    22: PacketFrame,
    32: MmioRead,
    33: MmioValue,
    34: MmioWrite,
    35: MmioWritten,
    36: Hypercall,
    37: HypercallDone,
    38: Interrupt,
    48: Order,
    49: Done,
}
"""What may be in a body, by ``kind``; ``KERNEL_NAME`` is the name that docs/peer-port.md has."""

_KIND_OF: Final[Mapping[type[WireRecord], int]] = {record: kind for kind, record in FRAMES.items()}
HEADER_BYTES: Final = 8
BODY_BYTES_MAX: Final = 16 + PAYLOAD_BYTES_MAX  # a PACKET's; no other body is as long
FRAME: Final = "frame"


def encode(frame: WireRecord) -> bytes:
    """A frame with its header. Raises LocalProtocolError for a value that does not fit."""
    body = frame.build()
    return FrameHeader(len(body), _KIND_OF[type(frame)]).build() + body


def decode(kind: int, body: bytes) -> WireRecord:
    """The record of a body. Raises WireFormatError for a kind or a length that no frame has."""
    record = FRAMES.get(kind)
    if record is None:
        raise WireFormatError(FRAME, "kind", 4, f"there is no frame {kind}")
    frame = record.parse(body)
    taken = len(frame.build())
    if taken != len(body):
        reason = f"{record.KERNEL_NAME} has {taken} bytes here, not {len(body)}"
        raise WireFormatError(FRAME, "length", 0, reason)
    return frame


class Unframer:
    """Takes bytes as they come and gives whole frames; holds at most one frame that is not."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def within_frame(self) -> bool:
        """Whether the bytes so far end inside a frame."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[WireRecord]:
        """The frames that end within ``data``, as far as they are asked for.

        Raises WireFormatError where they make no sense; then nothing after that does.
        """
        held = self._held
        held += data
        while len(held) >= HEADER_BYTES:
            header = FrameHeader.parse(bytes(held[:HEADER_BYTES]))
            if header.length > BODY_BYTES_MAX:
                reason = f"a body of {header.length} bytes, and {BODY_BYTES_MAX} is the most"
                raise WireFormatError(FRAME, "length", 0, reason)
            end = HEADER_BYTES + header.length
            if len(held) < end:
                return
            body = bytes(held[HEADER_BYTES:end])
            del held[:end]
            yield decode(header.kind, body)
