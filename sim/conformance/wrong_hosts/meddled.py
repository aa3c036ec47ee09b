# SPDX-License-Identifier: MIT
"""Hosts between which and the guest somebody sits who changes one thing.

They remember what was heard and done so far, which is all that a mistake may depend on. Knows no
case and no mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from protocol.hypercall import HVCALL_RETARGET_INTERRUPT, HypercallResult, call_code
from protocol.ids import Vector, VpIndex
from protocol.ring import Packet
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType, PciResponse
from sim.conformance.host_bench import CONFIG_PAGE, OTHER_WINDOW, WINDOW
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrapped import Wrapped

WIDE: Final = 0x10_0000_0000  # BARs of 64 bits are put above it
BAR_REGISTERS: Final = range(WINDOW + CONFIG_PAGE + 0x10, WINDOW + CONFIG_PAGE + 0x28)
WINDOWS: Final = (range(WINDOW, WINDOW + 0x2000), range(OTHER_WINDOW, OTHER_WINDOW + 0x2000))
FAILED: Final = PciResponse(STATUS_UNSUCCESSFUL).build()


class Request(NamedTuple):
    """A packet of the guest."""

    packet_type: int
    flags: int
    transaction_id: int
    payload: bytes

    @property
    def kind(self) -> int:
        """Its message type, 0 for a packet without one."""
        return int.from_bytes(self.payload[:4].ljust(4, b"\0"), "little")


class Meddled(Wrapped):
    """Hands everything on, and remembers it.

    ``heard`` are the guest's packets; ``done`` what else befell the channel, as words: ``open``,
    ``close``, ``signal`` and the administrator's orders; ``bunch`` are the packets since it was
    last read from; ``slot`` is the one selected.
    """

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self.heard: list[Request] = []
        self.done: list[str] = []
        self.bunch: list[Request] = []
        self.slot = 0

    # What to override

    def hear(self, request: Request) -> Request | None:
        """What the host gets of a packet; None for nothing."""
        return request

    def answer(self, packet: Packet) -> Iterable[Packet]:
        """What the guest gets of a completion."""
        return (packet,)

    def tell(self, packet: Packet) -> Iterable[Packet]:
        """What the guest gets of a packet that the host sends of its own accord."""
        return (packet,)

    def counts(self, *kinds: MessageType) -> int:
        """How many packets of these types were heard."""
        return sum(request.kind in kinds for request in self.heard)

    # The host's methods

    def open(self, channel: Channel) -> int:
        self.done.append("open")
        return super().open(channel)

    def close(self, channel: Channel) -> None:
        self.done.append("close")
        super().close(channel)

    def signal(self, channel: Channel) -> None:
        self.done.append("signal")
        super().signal(channel)

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        self.done.append(what)
        super().order(what, channel, **arguments)

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        request = Request(packet_type, flags, transaction_id, payload)
        passed = self.hear(request)
        self.heard.append(request)
        self.bunch.append(request)
        if passed is not None:
            super().send(channel, *passed)

    def receive(self, channel: Channel) -> list[Packet]:
        found: list[Packet] = []
        for packet in super().receive(channel):
            is_answer = packet.packet_type == VM_PKT_COMP
            found += self.answer(packet) if is_answer else self.tell(packet)
        self.bunch.clear()
        return found

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        if gpa in (WINDOW, OTHER_WINDOW):
            self.slot = value
        super().mmio_write(gpa, size, value)


When: TypeAlias = Callable[[Meddled, Request], bool]
Change: TypeAlias = Callable[[bytes], bytes | None]


def fails(payload: bytes) -> bytes:
    """An answer of another failure than any that a guest knows."""
    del payload
    return FAILED


class Answering(Meddled):
    """Changes the answers to requests; None for no answer at all."""

    def __init__(self, host: HostUnderTest, when: When, change: Change = fails) -> None:
        super().__init__(host)
        self._when = when
        self._change = change
        self._marked: set[int] = set()

    def hear(self, request: Request) -> Request | None:
        self._marked.discard(request.transaction_id)
        if self._when(self, request):
            self._marked.add(request.transaction_id)
        return request

    def answer(self, packet: Packet) -> Iterable[Packet]:
        if packet.transaction_id not in self._marked:
            return (packet,)
        payload = self._change(packet.payload)
        return () if payload is None else (replace(packet, payload=payload),)


class Hearing(Meddled):
    """Takes some requests for others; None for none."""

    def __init__(
        self,
        host: HostUnderTest,
        when: When,
        change: Callable[[Meddled, Request], Request | None] = lambda _host, _request: None,
    ) -> None:
        super().__init__(host)
        self._when = when
        self._change = change

    def hear(self, request: Request) -> Request | None:
        return self._change(self, request) if self._when(self, request) else request


class Dying(Meddled):
    """Serves a packet, and then never hears another one."""

    def __init__(self, host: HostUnderTest, when: When) -> None:
        super().__init__(host)
        self._when = when

    def hear(self, request: Request) -> Request | None:
        return None if any(self._when(self, before) for before in self.heard) else request


class Telling(Meddled):
    """Changes the packets that the host sends of its own accord."""

    def __init__(
        self, host: HostUnderTest, change: Callable[[Meddled, Packet], Iterable[Packet]]
    ) -> None:
        super().__init__(host)
        self._change = change

    def tell(self, packet: Packet) -> Iterable[Packet]:
        return self._change(self, packet)


class Receiving(Meddled):
    """Changes all that comes at once, in view of the packets it comes for."""

    def __init__(
        self, host: HostUnderTest, change: Callable[[list[Request], list[Packet]], list[Packet]]
    ) -> None:
        super().__init__(host)
        self._change = change

    def receive(self, channel: Channel) -> list[Packet]:
        bunch = list(self.bunch)
        return self._change(bunch, super().receive(channel))


class Reading(Meddled):
    """Changes what reads give."""

    def __init__(
        self, host: HostUnderTest, change: Callable[[Meddled, int, int, int], int]
    ) -> None:
        super().__init__(host)
        self._change = change

    def mmio_read(self, gpa: int, size: int) -> int:
        return self._change(self, gpa, size, super().mmio_read(gpa, size))


class Remembering(Meddled):
    """Gives for a base register something made of what was last written there, and what it is."""

    def __init__(self, host: HostUnderTest, change: Callable[[int, int], int]) -> None:
        super().__init__(host)
        self._change = change
        self._written: dict[int, int] = {}

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        if gpa in BAR_REGISTERS:
            self._written[gpa] = value
        super().mmio_write(gpa, size, value)

    def mmio_read(self, gpa: int, size: int) -> int:
        value = super().mmio_read(gpa, size)
        written = self._written.get(gpa)
        return value if written in (None, 0, 0xFFFF_FFFF) else self._change(value, written)


class Writing(Meddled):
    """Takes some writes for others; None for none."""

    def __init__(
        self,
        host: HostUnderTest,
        change: Callable[[Meddled, int, int, int], tuple[int, int, int] | None],
    ) -> None:
        super().__init__(host)
        self._change = change

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        access = self._change(self, gpa, size, value)
        if access is not None:
            super().mmio_write(*access)


class Interrupting(Meddled):
    """Changes the interrupts that come. ``retargets`` are the hypercalls that were made."""

    def __init__(
        self,
        host: HostUnderTest,
        change: Callable[[Interrupting, list[tuple[int, int]]], list[tuple[int, int]]],
    ) -> None:
        super().__init__(host)
        self._change = change
        self.retargets: list[tuple[bytes, int]] = []

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        result = super().hypercall(control, data)
        if call_code(control) == HVCALL_RETARGET_INTERRUPT:
            self.retargets.append((data, result.status))
        return result

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        came = [(int(vp), int(vector)) for vp, vector in super().interrupts()]
        return [(VpIndex(vp), Vector(vector)) for vp, vector in self._change(self, came)]


class Calling(Meddled):
    """Changes how hypercalls end; None makes them."""

    def __init__(
        self,
        host: HostUnderTest,
        instead: Callable[[int, bytes], int | None],
        otherwise: Callable[[int], int] = lambda status: status,
    ) -> None:
        super().__init__(host)
        self._instead = instead
        self._otherwise = otherwise

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        status = self._instead(call_code(control), data)
        if status is not None:
            return HypercallResult(status)
        result = super().hypercall(control, data)
        return result._replace(register=self._otherwise(result.register))
