# SPDX-License-Identifier: MIT
"""The built-in device profiles by name. Knows no capture file; see ``host.devices.capture``."""

from collections.abc import Mapping
from types import MappingProxyType

from host.devices.bars_32 import BARS_32
from host.devices.gpu import GPU
from host.devices.multi_msi import MULTI_MSI
from host.devices.nic_vf import NIC_VF
from host.devices.no_bars import NO_BARS
from host.devices.nvme_ssd import NVME_SSD
from host.devices.profile import DeviceProfile

PROFILES: Mapping[str, DeviceProfile] = MappingProxyType(
    {profile.name: profile for profile in (NVME_SSD, NIC_VF, GPU, NO_BARS, MULTI_MSI, BARS_32)}
)
