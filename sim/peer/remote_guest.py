# SPDX-License-Identifier: MIT
"""A guest in another process, as a world has it: VMBus is ours, what is above it the peer's.

Of the reference guest it takes the kernel and VMBus; the vPCI driver, the PCI core and the drivers
of devices are in the other process. Implements ``sim/guests.Guests``. What the peer cannot do
raises NotOffered, what none may do PeerFault. Knows no transport.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from guest.events import MachinePoweredOff, MachinePoweredOn, ProcessesFrozen, RescindFlagRaised
from guest.kernel.context import Context
from guest.kernel.pages import PhysicalMemory
from guest.parts import ARCHITECTURES, Parts
from guest.pci_core.sysfs import SysfsDevice
from guest.pci_core.types import PciDev
from guest.reference import GuestConfig, ReferenceGuest
from guest.seen import FunctionSeen
from guest.shell import Shell
from guest.wiring import Wiring
from protocol.ids import Devfn, Vector, VpIndex, devfn_to_wslot
from protocol.peer_orders import Value
from protocol.peer_port import FLAG_DRIVES, ROLE_HOST, Hello, Interrupt
from protocol.versions import VPCI_DIALECTS
from sim.conformance.case import NotOffered
from sim.event_names import EVENT_NAMES
from sim.peer.desk import Desk
from sim.peer.peers import Peers
from sim.peer.port_channel import PortChannel, PortDriver
from sim.peer.talk import Talk
from sim.scenario import Do, Scenario, Wait
from sim.scenario_options import with_whole_offer

OFFER_VERSIONS: Final = "offer-versions"
LACKS_STEP: Final = ("crash", "boot")  # there is no order for these
TOLD_OF_GUEST: Final = (RescindFlagRaised, MachinePoweredOff, MachinePoweredOn, ProcessesFrozen)
"""Guest events that the part of it which is ours tells; all others are the peer's secret."""


class RemoteGuest(ReferenceGuest):
    """One guest; ``boot()`` tells it what to offer and asks VMBus for the offers."""

    def __init__(self, config: GuestConfig, wiring: Wiring, *, talk: Talk) -> None:
        self._talk = talk
        self._desk: Desk | None = None
        self._versions = config.vpci_versions
        super().__init__(config, wiring)

    @property
    def desk(self) -> Desk:
        """Where the peer is talked to."""
        if self._desk is None:
            self._desk = Desk(self.kernel, self._talk)
        return self._desk

    def _new_driver(self, config: GuestConfig, parts: Parts) -> PortDriver:
        policy = ARCHITECTURES[config.arch].policy(parts)
        versions = [VPCI_DIALECTS[version] for version in config.vpci_versions]
        driver = PortDriver(self.kernel, self.vmbus, self.pci, policy, versions=versions)
        driver.desk = self.desk
        return driver

    def boot(self) -> Context:
        """As the reference guest, but that the peer hears first which versions to offer."""
        return self.kernel.spawn_thread("hv_acpi_init", self._told_and_booted())

    async def _told_and_booted(self) -> None:
        if self._talk.can(OFFER_VERSIONS):
            await self.desk.order(OFFER_VERSIONS, versions=self._versions)
        await self._boot()

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """A device interrupt: the peer's."""
        self.desk.tell(Interrupt(vp, vector))

    def shell(self) -> RemoteShell:
        """Somebody logged in."""
        return RemoteShell(self)

    def channel(self, instance: UUID) -> PortChannel | None:
        """The channel of that device, if the peer has it."""
        channels = self.desk.channels.values()
        return next((each for each in channels if each.hdev.dev_instance == instance), None)

    def devices(self) -> list[SysfsDevice]:
        """Nobody tells."""
        return []

    async def functions_seen(self) -> list[FunctionSeen]:
        """Nobody tells."""
        return []

    def lost(self, keepers: Sequence[object], held_relids: Collection[int]) -> dict[str, int]:
        """Relids; what else the peer has lost is in its own memory."""
        del keepers
        return {"relid": len(set(held_relids) - self.relids_in_use())}


class RemoteShell(Shell):
    """Somebody logged in; what is said of functions is the peer's to do."""

    def __init__(self, guest: RemoteGuest) -> None:
        super().__init__(guest)
        self._remote = guest

    async def _order(self, name: str, instance: UUID, devfn: Devfn, **words: Value) -> None:
        channel = self._remote.channel(instance)
        if channel is not None:
            await self._remote.desk.order(name, channel, wslot=devfn_to_wslot(devfn), **words)

    def open_files(self) -> list[PciDev]:
        """The peer's to know."""
        return []

    async def rescan(self) -> None:
        """Look for functions on all buses."""
        await self._remote.desk.order("rescan")

    async def bind(self, instance: UUID, devfn: Devfn) -> None:
        """Give the function its driver."""
        await self._order("bind", instance, devfn)

    async def unbind(self, instance: UUID, devfn: Devfn) -> None:
        """Take it away."""
        await self._order("unbind", instance, devfn)

    async def submit(self, instance: UUID, devfn: Devfn, rounds: int) -> None:
        """Use the device."""
        await self._order("submit", instance, devfn, count=rounds)

    async def open_device(self, instance: UUID, devfn: Devfn) -> None:
        """A process opens the device."""
        await self._order("open-device", instance, devfn)

    async def close_device(self, instance: UUID, devfn: Devfn) -> None:
        """The process closes it."""
        await self._order("close-device", instance, devfn)

    async def set_affinity(
        self, instance: UUID, devfn: Devfn, vector: int, cpus: Sequence[int]
    ) -> None:
        """Let these processors take an interrupt."""
        await self._order("set-affinity", instance, devfn, vector=vector, cpus=tuple(cpus))

    async def read_block(self, instance: UUID, devfn: Devfn, block: int, size: int) -> None:
        """Read a configuration block."""
        await self._order("read-block", instance, devfn, block=block, size=size)

    async def write_block(self, instance: UUID, devfn: Devfn, block: int, data: bytes) -> None:
        """Write one."""
        await self._order("write-block", instance, devfn, block=block, data=data)


class RemoteGuests:
    """A fresh peer for each world."""

    driver = "peer"

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._talk: Talk | None = None

    def playable(self, scenario: Scenario) -> Scenario:
        """As the peer can play it. Raises NotOffered where it cannot, PeerFault, Unreachable."""
        for reason in _why_not(scenario):
            raise NotOffered(reason)
        hello = Hello(role=ROLE_HOST, flags=FLAG_DRIVES, vps=scenario.guest.vcpus, name=b"vpcisim")
        self._talk = self._peers.fresh(hello)
        return scenario if self._talk.can(OFFER_VERSIONS) else with_whole_offer(scenario)

    def memory(self) -> PhysicalMemory:
        """Blocks of bytes, for our end of VMBus."""
        return PhysicalMemory()

    def guest(self, config: GuestConfig, wiring: Wiring, number: int) -> RemoteGuest:
        """The guest that was greeted when the scenario was made playable."""
        assert self._talk is not None, "a world makes its scenario playable first"
        assert number == 1, "no crash kernel is booted in another process"
        return RemoteGuest(config, wiring, talk=self._talk)


def _why_not(scenario: Scenario) -> Iterable[str]:
    """What of the scenario cannot be put to a guest in another process."""
    guest = scenario.guest
    if guest.isolation != "none" or guest.arch != "x86-64":
        yield "a guest behind the peer port is x86-64, and not isolated"
    if scenario.expect.verdict in vars(errno):
        yield "only a guest of ours tells of the errors it ends in"
    steps = [step for actor in scenario.actors for step in actor.steps]
    for step in steps:
        if isinstance(step, Do) and step.verb in LACKS_STEP:
            yield f"a guest behind the peer port cannot be ordered to {step.verb}"
        if isinstance(step, Wait):
            event = EVENT_NAMES[step.event]
            if event.__module__.startswith("guest.") and event not in TOLD_OF_GUEST:
                yield f"only a guest of ours tells of {step.event}"
