# SPDX-License-Identifier: MIT
"""What a scenario asks for, as the host and the guest want it told. Makes neither of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from guest.drivers.steps import DriverOptions
from guest.isolation import ISOLATIONS
from guest.reference import FunctionChoice, GuestConfig
from guest.vmbus.mmio import MMIO_RANGES
from host.devices import PROFILES
from host.devices.capture import load_profile
from host.devices.profile import DeviceProfile
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.ids import SlotNumber, VpIndex, wslot_to_devfn
from protocol.versions import vpci_dialect
from sim.identity import instance_id
from sim.scenario import DeviceSpec, GuestSpec, Scenario

# Of the VMBus node's _CCA: what the grammar calls it and what the guest is told.
_COHERENT: Final[Mapping[str, bool | None]] = {
    "absent": None,
    "coherent": True,
    "non-coherent": False,
}


def profile_of(device: DeviceSpec) -> DeviceProfile:
    """The profile a device names: a built-in, or a file."""
    if device.capture is not None:
        return load_profile(str(device.capture))
    assert device.profile is not None, "a device has a profile or a capture"
    return PROFILES[device.profile]


def partition_config(
    scenario: Scenario, load: Callable[[DeviceSpec], DeviceProfile]
) -> PartitionConfig:
    """The host that a scenario asks for."""
    buses = tuple(
        BusConfig(
            name=bus,
            instance_id=instance_id(bus),
            functions=tuple(
                FunctionConfig(
                    profile=load(device),
                    wslot=SlotNumber(device.wslot),
                    serial=device.serial,
                    numa_node=device.numa_node,
                    present=device.present,
                )
                for device in devices
            ),
        )
        for bus, devices in scenario.buses().items()
    )
    return PartitionConfig(
        buses=buses,
        profile=scenario.host.profile,
        knobs=scenario.host.knobs,
        latency_ns=scenario.host.latency_ns,
        vcpus=scenario.guest.vcpus,
        vp_numbers=tuple(VpIndex(vp) for vp in scenario.guest.vp_numbers),
        pcpus=scenario.host.pcpus,
        isolated=scenario.guest.isolation == "cvm",
        arch=scenario.guest.arch,
        framebuffer=scenario.guest.framebuffer,
    )


def guest_config(scenario: Scenario) -> GuestConfig:
    """The guest that a scenario asks for."""
    functions = {
        (instance_id(device.bus), int(wslot_to_devfn(SlotNumber(device.wslot)))): FunctionChoice(
            None if device.driver == "auto" else device.driver,
            DriverOptions(device.vectors, device.rounds, device.remove_ms),
        )
        for device in scenario.devices
    }
    return GuestConfig(
        vp_numbers=scenario.guest.vp_numbers,
        vpci_versions=tuple(vpci_dialect(name).version for name in scenario.guest.protocol),
        functions=functions,
        isolation=ISOLATIONS[scenario.guest.isolation],
        arch=scenario.guest.arch,
        coherent_dma=_COHERENT[scenario.guest.vmbus_cca],
        nodes=_nodes(scenario.guest),
        offline_nodes=scenario.guest.offline_nodes,
        mmio_ranges=MMIO_RANGES if scenario.guest.mmio is None else scenario.guest.mmio,
        framebuffer=scenario.guest.framebuffer,
    )


def _nodes(guest: GuestSpec) -> tuple[int, ...]:
    """The CPU mask of each NUMA node: the vCPUs dealt out in blocks, as Hyper-V does.

    With ``numa=off`` there is one node. An offline node has none of the CPUs that were booted.
    """
    if not guest.numa:
        return ((1 << guest.vcpus) - 1,)
    online = [node for node in range(guest.numa_nodes) if node not in guest.offline_nodes]
    first = [guest.vcpus * place // len(online) for place in range(len(online) + 1)]
    blocks = ((1 << last) - (1 << start) for start, last in pairwise(first))
    masks = dict(zip(online, blocks, strict=True))
    return tuple(masks.get(node, 0) for node in range(guest.numa_nodes))
