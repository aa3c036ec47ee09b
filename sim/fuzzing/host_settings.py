# SPDX-License-Identifier: MIT
"""Which hosts are fuzzed: both profiles, with one function or two, at every version."""

from __future__ import annotations

from typing import Final, NamedTuple

from host.devices import PROFILES as DEVICES
from host.profiles import PROFILES
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.ids import SlotNumber
from sim.identity import instance_id

BUS: Final = "nvme0"


class Setting(NamedTuple):
    """One kind of host, the version its guest begins with, and the slots of its functions."""

    profile: str
    version: str
    slots: tuple[SlotNumber, ...]

    def machine(self) -> PartitionConfig:
        """The partition, with its one bus."""
        functions = tuple(FunctionConfig(DEVICES["nvme-ssd"], slot) for slot in self.slots)
        bus = BusConfig(BUS, instance_id(BUS), functions)
        return PartitionConfig((bus,), profile=self.profile, vcpus=2)


SETTINGS: Final = tuple(
    Setting(profile, version, slots)
    for profile, slots in (
        ("hyperv", (SlotNumber(0), SlotNumber(1))),
        ("hyperv", (SlotNumber(0),)),
        ("openvmm", (SlotNumber(0),)),
    )
    for version in PROFILES[profile].knobs.versions
)
