# SPDX-License-Identifier: MIT
"""The built-in device profiles by name. Knows no capture file; see ``host.devices.capture``."""

from collections.abc import Mapping
from types import MappingProxyType

from host.devices.nvme_ssd import NVME_SSD
from host.devices.profile import DeviceProfile

PROFILES: Mapping[str, DeviceProfile] = MappingProxyType(
    {profile.name: profile for profile in (NVME_SSD,)}
)
