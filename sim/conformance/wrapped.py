# SPDX-License-Identifier: MIT
"""A host that hands everything on to another one, for what changes or watches a part of that."""

from __future__ import annotations

from uuid import UUID

from protocol.hypercall import HypercallResult
from protocol.ids import Vector, VpIndex
from protocol.ring import Packet, Ring
from sim.conformance.host_port import Access, Channel, HostUnderTest
from sim.trace import Stamped


class Wrapped:
    """Implements ``HostUnderTest`` by another one."""

    def __init__(self, host: HostUnderTest) -> None:
        self._host = host

    @property
    def name(self) -> str:
        return self._host.name

    def trace(self) -> list[Stamped]:
        return self._host.trace()

    def offers(self) -> dict[Channel, UUID]:
        return self._host.offers()

    def open(self, channel: Channel) -> int:
        return self._host.open(channel)

    def close(self, channel: Channel) -> None:
        self._host.close(channel)

    def release(self, channel: Channel) -> None:
        self._host.release(channel)

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        self._host.send(channel, packet_type, flags, transaction_id, payload)

    def receive(self, channel: Channel) -> list[Packet]:
        return self._host.receive(channel)

    def signals(self, channel: Channel) -> int:
        return self._host.signals(channel)

    def rings(self, channel: Channel) -> tuple[Ring, Ring]:
        return self._host.rings(channel)

    def signal(self, channel: Channel) -> None:
        self._host.signal(channel)

    def mmio_read(self, gpa: int, size: int) -> int:
        return self._host.mmio_read(gpa, size)

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        self._host.mmio_write(gpa, size, value)

    def begin_read(self, gpa: int, size: int) -> Access:
        return self._host.begin_read(gpa, size)

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        return self._host.begin_write(gpa, size, value)

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        return self._host.hypercall(control, data)

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        return self._host.interrupts()

    def pass_time(self, for_ns: int) -> None:
        self._host.pass_time(for_ns)

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        self._host.order(what, channel, **arguments)
