# SPDX-License-Identifier: MIT
"""Our own host under test: a whole partition, reached through VMBus and rings.

Knows no case; what a case needs on the bus it names in ``BUSES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from host.devices import PROFILES as DEVICES
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.errors import LocalProtocolError
from protocol.hypercall import HypercallResult
from protocol.ids import RelId, SlotNumber, Vector, VpIndex
from protocol.ring import Packet, Ring
from sim.conformance.case import HostCase, NotOffered
from sim.conformance.host_port import Channel
from sim.identity import instance_id
from sim.peer.bare_guest import BareGuest, Begun
from sim.trace import Stamped

NAME: Final = "disk"
VCPUS: Final = 4
NO_KNOBS: Final[Mapping[str, object]] = MappingProxyType({})

BUSES: Final[Mapping[str, tuple[FunctionConfig, ...]]] = {
    "one": (FunctionConfig(DEVICES["nvme-ssd"]),),
    "numa": (FunctionConfig(DEVICES["nvme-ssd"], numa_node=1),),
    "two": (
        FunctionConfig(DEVICES["nvme-ssd"]),
        FunctionConfig(DEVICES["nic-vf"], SlotNumber(1)),
    ),
    "blocks": (FunctionConfig(DEVICES["nic-vf"]),),
    "large": (FunctionConfig(DEVICES["gpu"]),),
    "neighbours": (FunctionConfig(DEVICES["nvme-ssd"]),),
}
"""What can be on the bus under test; ``neighbours``: there is another bus like it."""
NAMES: Final[Mapping[str, tuple[str, ...]]] = {"neighbours": (NAME, "neighbour")}


class OwnHost:
    """A partition that offers a bus called ``disk``; implements ``HostUnderTest``.

    Raises ValueError for a profile or knobs that do not fit, NotOffered for a bus that the profile
    cannot have.
    """

    def __init__(self, profile: str, bus: str, knobs: Mapping[str, object]) -> None:
        self.name: Final = f"our host, profile {profile}"
        names = NAMES.get(bus, (NAME,))
        buses = tuple(BusConfig(name, instance_id(name), BUSES[bus]) for name in names)
        try:
            self._guest = BareGuest(
                PartitionConfig(buses=buses, profile=profile, knobs=knobs, vcpus=VCPUS)
            )
        except ValueError as cannot:
            raise NotOffered(str(cannot)) from None
        for name in names:
            self._guest.partition.offer(name)
        self._guest.connect()

    def trace(self) -> list[Stamped]:
        """What happened so far."""
        return self._guest.trace

    def offers(self) -> dict[Channel, UUID]:
        """By relid."""
        return {offer.relid: offer.instance_id for offer in self._guest.offers()}

    def open(self, channel: Channel) -> int:
        """Through VMBus, with rings of Linux's size."""
        return self._guest.open(RelId(channel))

    def close(self, channel: Channel) -> None:
        """Through VMBus."""
        self._guest.close(RelId(channel))

    def release(self, channel: Channel) -> None:
        """Give the number of a rescinded channel back."""
        self._guest.release(RelId(channel))

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        """Through the ring."""
        self._guest.write(RelId(channel), packet_type, flags, transaction_id, payload)

    def receive(self, channel: Channel) -> list[Packet]:
        """Out of the ring, again and again until nothing comes any more."""
        found: list[Packet] = []
        while True:
            self._guest.run()
            more = self._guest.read(RelId(channel))
            if not more:
                return found
            found += more

    def signals(self, channel: Channel) -> int:
        """As often as its flag was set."""
        return self._guest.signals[RelId(channel)]

    def rings(self, channel: Channel) -> tuple[Ring, Ring]:
        """Over the pages that were shared."""
        rings = self._guest.rings(RelId(channel))
        return rings.to_host, rings.to_guest

    def signal(self, channel: Channel) -> None:
        """By hypercall."""
        self._guest.signal(RelId(channel))

    def mmio_read(self, gpa: int, size: int) -> int:
        """An intercepted read, to its end."""
        return self._ended(self._guest.begin_read(gpa, size)).value()

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        """An intercepted write, to its end."""
        self._ended(self._guest.begin_write(gpa, size, value))

    def begin_read(self, gpa: int, size: int) -> Begun:
        """An intercepted read."""
        return self._guest.begin_read(gpa, size)

    def begin_write(self, gpa: int, size: int, value: int) -> Begun:
        """An intercepted write."""
        return self._guest.begin_write(gpa, size, value)

    def _ended(self, access: Begun) -> Begun:
        """The same, once as much time has passed as it takes."""
        if not access.ended():
            self._guest.clock.run_until(access.end_ns)
        return access

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """On VP 0."""
        return self._guest.hypercall(control, data)

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        """Those since the last question."""
        self._guest.run()
        found, self._guest.interrupts = self._guest.interrupts, []
        return found

    def pass_time(self, for_ns: int) -> None:
        """Simulated, so at once."""
        self._guest.clock.pass_time(for_ns)

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        """What the administrator's method of that name does. Raises NotOffered as it refuses."""
        del channel  # only the first bus is meddled with
        try:
            getattr(self._guest.partition, what.replace("-", "_"))(NAME, **arguments)
        except LocalProtocolError as refused:
            raise NotOffered(f"the host does not {what}: {refused}") from None
        self._guest.run()


def hosts_of(
    profile: str, knobs: Mapping[str, object] = NO_KNOBS
) -> Callable[[HostCase, str], OwnHost]:
    """What the suite makes hosts with: a fresh one of that profile for each case.

    A case's own knobs come before ``knobs``.
    """
    return lambda case, _: OwnHost(profile, case.bus, {**knobs, **case.knobs})
