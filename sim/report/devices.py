# SPDX-License-Identifier: MIT
"""A device profile as people and programs read it: identity, BARs, interrupts."""

from __future__ import annotations

from typing import Any

from host.devices.profile import DeviceProfile
from host.devices.sizes import format_size
from protocol.pci_regs import Bar


def device_dict(profile: DeviceProfile) -> dict[str, Any]:
    """What ``--json`` prints of a device: ids as numbers, ``class`` of 24 bits, sizes in bytes.

    ``msi`` and ``msix`` are the vectors the capability has, 0 without one.
    """
    return {
        "name": profile.name,
        "vendor": profile.identity.v_id,
        "device": profile.identity.d_id,
        "class": _class(profile),
        "bars": [
            {
                "index": bar.index,
                "size_bytes": bar.size_bytes,
                "bits": bar.bits,
                "prefetchable": bar.prefetchable,
            }
            for bar in profile.bars
        ],
        "msi": profile.msi_vectors,
        "msix": _msix(profile),
    }


def device_line(profile: DeviceProfile) -> str:
    """The same in one line, in words and hexadecimal."""
    identity = profile.identity
    words = [f"[{identity.v_id:04x}:{identity.d_id:04x}]", f"class {_class(profile):06x}"]
    words += [_bar(bar) for bar in profile.bars] or ["no BARs"]
    if profile.msi_vectors:
        words.append(f"MSI {profile.msi_vectors}")
    if profile.msix is not None:
        words.append(f"MSI-X {_msix(profile)}")
    return ", ".join(words)


def _class(profile: DeviceProfile) -> int:
    identity = profile.identity
    return identity.base_class << 16 | identity.subclass << 8 | identity.prog_intf


def _msix(profile: DeviceProfile) -> int:
    return 0 if profile.msix is None else profile.msix.vectors


def _bar(bar: Bar) -> str:
    kind = " prefetchable" if bar.prefetchable else ""
    return f"BAR {bar.index} {format_size(bar.size_bytes)} {bar.bits}-bit{kind}"
