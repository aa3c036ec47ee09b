# SPDX-License-Identifier: MIT
"""What a partition is made of: buses, functions, processors, latencies. Data and its checks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec

from host.devices.profile import DeviceProfile
from protocol.ids import SlotNumber, VpIndex
from protocol.versions import VMBUS_DIALECTS, VmbusDialect

WindowNs = tuple[int, int]

DEFAULT_LATENCY_NS: Final[Mapping[str, WindowNs]] = MappingProxyType(
    {
        # Model: no source gives timings; these have the right order of magnitude for a VM exit,
        # a worker's wake-up and an administrator's tool.
        "message": (10_000, 50_000),  # guest's post to the VMBus server's answer
        "reply": (20_000, 200_000),  # one packet of a channel
        "interrupt": (2_000, 10_000),  # device's write to the vector in the VP
        "work": (20_000, 100_000),  # doorbell to the device's completion interrupt
        "rescind": (200_000, 2_000_000),  # last function unassigned to the offer's rescind
        # How long the VP is held per GiB of BAR; the earliest value counts. Comment of commit
        # 23e118a48acf: mapping large BARs again and again dominates a VM's boot.
        "bar_map_per_gib": (1_000_000, 1_000_000),
        "bar_unmap_per_gib": (1_000_000, 1_000_000),
    }
)

MAX_FUNCTIONS: Final = 145
"""Functions of one bus: what a list of version 1.3 can hold in a Linux reader's 4096 bytes."""

MAX_SLOT: Final = 0xFF  # 5 bits of device, 3 of function


class FunctionConfig(msgspec.Struct, frozen=True, cache_hash=True):
    """One function a bus can hold.

    ``serial`` None means the instance id's first 32 bits, as in OpenVMM. ``numa_node`` None means
    that the host gives no affinity. ``present`` says whether the offer begins with it.
    """

    profile: DeviceProfile
    wslot: SlotNumber = SlotNumber(0)
    serial: int | None = None
    numa_node: int | None = None
    present: bool = True


class BusConfig(msgspec.Struct, frozen=True, cache_hash=True):
    """One vPCI bus, which is one VMBus offer. ``name`` is what events and scenarios call it."""

    name: str
    instance_id: UUID
    functions: tuple[FunctionConfig, ...]


class PartitionConfig(msgspec.Struct, frozen=True):
    """A VM's host side.

    ``vp_numbers`` are the VP indices in CPU order, 0 to ``vcpus`` - 1 if empty. ``latency_ns``
    overrides entries of ``DEFAULT_LATENCY_NS``; ``knobs`` those of the profile. ``isolated``: the
    host cannot read the guest's memory but where it is shared (a confidential VM). ``arch`` is one
    of ``host.interrupts.ARCHITECTURES``. ``framebuffer`` is where the VM has one, both ends
    included.
    """

    buses: tuple[BusConfig, ...]
    profile: str = "hyperv"
    knobs: Mapping[str, object] = MappingProxyType({})
    latency_ns: Mapping[str, WindowNs] = MappingProxyType({})
    vcpus: int = 1
    vp_numbers: tuple[VpIndex, ...] = ()
    pcpus: int = 1
    isolated: bool = False
    arch: str = "x86-64"
    framebuffer: tuple[int, int] | None = None

    def vps(self) -> tuple[VpIndex, ...]:
        """The VP indices in CPU order. Raises ValueError if they do not fit the CPUs."""
        if not self.vp_numbers:
            return tuple(VpIndex(number) for number in range(self.vcpus))
        if len(self.vp_numbers) != self.vcpus or len(set(self.vp_numbers)) != self.vcpus:
            raise ValueError(f"vp_numbers must name {self.vcpus} different VPs")
        return self.vp_numbers


def latencies(changes: Mapping[str, WindowNs]) -> dict[str, WindowNs]:
    """The default latencies with these changed. Raises ValueError for a bad name or window."""
    unknown = sorted(set(changes) - set(DEFAULT_LATENCY_NS))
    if unknown:
        known = ", ".join(DEFAULT_LATENCY_NS)
        raise ValueError(f"unknown latency {unknown[0]!r}; known: {known}")
    for name, (earliest, latest) in changes.items():
        if not 0 <= earliest <= latest:
            raise ValueError(f"latency {name!r}: [{earliest}, {latest}] is no window")
    return {**DEFAULT_LATENCY_NS, **changes}


def check_bus(bus: BusConfig, *, single_function: bool) -> None:
    """Raise ValueError for a bus no host could offer."""
    slots = [function.wslot for function in bus.functions]
    if len(set(slots)) != len(slots):
        raise ValueError(f"{bus.name}: two functions in one slot")
    if any(not 0 <= slot <= MAX_SLOT for slot in slots):
        raise ValueError(f"{bus.name}: slots are 0 to {MAX_SLOT:#x}")
    if not 0 < len(slots) <= MAX_FUNCTIONS:
        raise ValueError(f"{bus.name}: a bus has 1 to {MAX_FUNCTIONS} functions")
    if single_function and slots != [0]:
        raise ValueError(f"{bus.name}: this host offers one function, in slot 0")


def vmbus_dialects_up_to(highest: str) -> dict[int, VmbusDialect]:
    """The VMBus versions up to this one, by wire number. Raises ValueError for an unknown name."""
    accepted: dict[int, VmbusDialect] = {}
    for number, dialect in VMBUS_DIALECTS.items():
        accepted[number] = dialect
        if dialect.name == highest:
            return accepted
    known = ", ".join(dialect.name for dialect in VMBUS_DIALECTS.values())
    raise ValueError(f"no VMBus version {highest!r}; there are {known}")
