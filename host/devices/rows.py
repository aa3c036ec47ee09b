# SPDX-License-Identifier: MIT
"""From rows and values to a profile's reset image: how the built-in devices are written down.

A capability is placed by its layout, its offset and the values of its registers by name; chaining
and type bits follow. Refuses what no hardware could be: overlaps, values that do not fit.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from host.devices.profile import DeviceProfile, Identity
from protocol.pci_cap_rows import (
    EXPRESS,
    MSIX,
    PCI_MSI_FLAGS_64BIT,
    PCI_MSI_FLAGS_MASKBIT,
    Layout,
    msi_layout,
)
from protocol.pci_regs import (
    CONFIG_BYTES,
    CONVENTIONAL_BYTES,
    PCI_CAPABILITY_LIST,
    PCI_INTERRUPT_PIN,
    PCI_REVISION_ID,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
    Bar,
)


class Placed(NamedTuple):
    """A capability at its offset, with the reset values of its registers by name."""

    layout: Layout
    at: int
    values: Mapping[str, int]
    version: int = 0


def placed(layout: Layout, at: int, *, version: int = 1, **values: int) -> Placed:
    """A capability at byte offset ``at``; registers not named reset to zero."""
    return Placed(layout, at, values, version)


def placed_msi(at: int, *, vectors: int) -> Placed:
    """MSI with 64-bit address and per-vector mask, asking for ``vectors`` (1..32, power of two)."""
    control = PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | (vectors.bit_length() - 1) << 1
    return placed(msi_layout(control), at, control=control)


def placed_msix(at: int, *, vectors: int, table: tuple[int, int], pba: tuple[int, int]) -> Placed:
    """MSI-X with ``vectors`` entries; ``table`` and ``pba`` are (BAR index, byte offset)."""
    return placed(MSIX, at, control=vectors - 1, table=table[1] | table[0], pba=pba[1] | pba[0])


def placed_express(at: int, *, speed: int, width: int, payload: int = 1) -> Placed:
    """A PCI Express v2 endpoint with function-level reset.

    ``speed`` and ``width`` as in the link registers (4 = 16 GT/s), ``payload`` as in Device
    Capabilities (1 = 256 bytes); the link runs at its best, as trained by the host.
    """
    return placed(
        EXPRESS,
        at,
        capabilities=0x0002,
        device_capabilities=0x1000_8FE0 | payload,
        device_control=0x2910 | payload << 5,
        link_capabilities=0x0040_0000 | width << 4 | speed,
        link_control=0x0040,
        link_status=0x1000 | width << 4 | speed,
        device_capabilities_2=0x0000_081F,
        link_capabilities_2=(1 << speed + 1) - 2,
        link_control_2=speed,
        link_status_2=0x001E if speed > 2 else 0,
    )


def endpoint(
    name: str,
    identity: Identity,
    *,
    bars: Sequence[Bar],
    capabilities: Sequence[Placed],
    blocks: Mapping[int, bytes] | None = None,
    interrupt_pin: int = 0,
) -> DeviceProfile:
    """The profile of a type 0 function. ``capabilities`` come in chain order; pin 1 is INTA."""
    image = bytearray(CONFIG_BYTES)
    _put(image, PCI_VENDOR_ID, 2, identity.v_id)
    _put(image, PCI_VENDOR_ID + 2, 2, identity.d_id)
    image[PCI_REVISION_ID : PCI_REVISION_ID + 4] = bytes(
        (identity.rev, identity.prog_intf, identity.subclass, identity.base_class)
    )
    _put(image, PCI_SUBSYSTEM_VENDOR_ID, 4, identity.subsystem_id)
    image[PCI_INTERRUPT_PIN] = interrupt_pin
    for bar in bars:
        _put(image, bar.offset, 4, bar.flags)
    _put_capabilities(image, capabilities)
    return DeviceProfile(name, bytes(image), tuple(bars), tuple((blocks or {}).items()))


def _put_capabilities(image: bytearray, capabilities: Sequence[Placed]) -> None:
    """Their registers, and the two chains that lead to them."""
    standard = [one for one in capabilities if one.at < CONVENTIONAL_BYTES]
    extended = [one for one in capabilities if one.at >= CONVENTIONAL_BYTES]
    if standard:
        _put(image, PCI_STATUS, 2, PCI_STATUS_CAP_LIST)
        image[PCI_CAPABILITY_LIST] = standard[0].at
    for one in capabilities:
        _put_registers(image, one)
    for one, following in _linked(standard):
        _put(image, one.at, 2, one.layout.id | following << 8)
    for one, following in _linked(extended):
        _put(image, one.at, 4, one.layout.id | one.version << 16 | following << 20)
    assert not extended or extended[0].at == CONVENTIONAL_BYTES, "the extended chain starts there"


def _linked(chain: Sequence[Placed]) -> list[tuple[Placed, int]]:
    """Each capability with the offset of the next; 0 ends the chain."""
    following = [one.at for one in chain[1:]]
    return list(zip(chain, [*following, 0], strict=False))


def _put(image: bytearray, offset: int, size: int, value: int) -> None:
    assert not any(image[offset : offset + size]), f"offset {offset:#x} is taken"
    image[offset : offset + size] = value.to_bytes(size, "little")


def _put_registers(image: bytearray, one: Placed) -> None:
    rows = {row.name: row for row in one.layout.registers}
    for name, value in one.values.items():
        _put(image, one.at + rows[name].offset, rows[name].size, value)
