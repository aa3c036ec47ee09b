# SPDX-License-Identifier: MIT
"""What /sys/bus/pci and the kernel's log would show: read-only records for reports and agents.

Takes references to nothing and changes nothing; never called by guest code. Configuration space is
read through the driver, so that what it answers by itself and what is gone look as to a user.
"""

from __future__ import annotations

from typing import NamedTuple

from guest.pci_core.types import PciDev, PciState
from guest.seen import FunctionSeen, Window
from protocol.pci_regs import BAR_COUNT, CONFIG_BYTES


class SysfsDevice(NamedTuple):
    """/sys/bus/pci/devices/ADDRESS. ``resources`` are (start, end, flags) as in ``resource``.

    ``msi_irqs`` maps an interrupt number to "msi" or "msix"; ``driver`` is None while unbound.
    """

    address: str
    vendor: int
    device: int
    subsystem_vendor: int
    subsystem_device: int
    class_code: int
    revision: int
    numa_node: int
    enable: int
    driver: str | None
    slot: str | None
    resources: tuple[tuple[int, int, int], ...]
    msi_irqs: tuple[tuple[int, str], ...]


class SysfsSlot(NamedTuple):
    """/sys/bus/pci/slots/NAME."""

    name: str
    address: str


def devices(pci: PciState) -> list[SysfsDevice]:
    """Every registered function, by address."""
    return [_device(dev) for _, dev in sorted(pci.devices.items())]


def slots(pci: PciState) -> list[SysfsSlot]:
    """Every slot, by name."""
    return [
        SysfsSlot(name, f"{slot.bus.name}:{slot.number:02x}")
        for name, slot in sorted(pci.slot_names.items())
    ]


async def functions_seen(pci: PciState) -> list[FunctionSeen]:
    """Every registered function with its configuration space, by address; for ``lspci``."""
    return [await _seen(dev) for _, dev in sorted(pci.devices.items())]


async def _seen(dev: PciDev) -> FunctionSeen:
    windows = tuple(Window(r.start, r.end, r.flags) for r in dev.resource[:BAR_COUNT])
    return FunctionSeen(dev.bus.domain_nr, dev.bus.number, dev.devfn, windows, await _config(dev))


async def _config(dev: PciDev) -> bytes:
    """All of configuration space by 32-bit reads; a failed one reads all ones, as in Linux."""
    image = bytearray()
    for where in range(0, CONFIG_BYTES, 4):
        _, value = await dev.bus.ops.read(dev.bus, dev.devfn, where, 4)
        image += value.to_bytes(4, "little")
    return bytes(image)


def _device(dev: PciDev) -> SysfsDevice:
    return SysfsDevice(
        address=dev.name,
        vendor=dev.vendor,
        device=dev.device,
        subsystem_vendor=dev.subsystem_vendor,
        subsystem_device=dev.subsystem_device,
        class_code=dev.class_code,
        revision=dev.revision,
        numa_node=dev.numa_node,
        enable=dev.enable_cnt,
        driver=dev.driver.name if dev.driver is not None else None,
        slot=dev.slot.name if dev.slot is not None else None,
        resources=tuple((r.start, r.end, r.flags) if r.flags else (0, 0, 0) for r in dev.resource),
        msi_irqs=tuple(_msi_irqs(dev)),
    )


def _msi_irqs(dev: PciDev) -> list[tuple[int, str]]:
    kind = "msix" if dev.msix_enabled else "msi"
    return [
        (number, kind)
        for desc in dev.msi_descs.values()
        if desc.irq
        for number in range(desc.irq, desc.irq + desc.nvec_used)
    ]
