# SPDX-License-Identifier: MIT
"""The PCI Express capability: what the scan reads and sets in it, and what hibernation keeps of it.

Of probe.c, pci.c and access.c, for a function that no bridge leads to: a vPCI bus is a root bus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from guest.pci_core.capability import pci_find_capability
from guest.pci_core.regs import (
    PCI_EXP_DEVCAP,
    PCI_EXP_DEVCAP_EXT_TAG,
    PCI_EXP_DEVCAP_PAYLOAD,
    PCI_EXP_DEVCTL,
    PCI_EXP_DEVCTL2,
    PCI_EXP_DEVCTL_EXT_TAG,
    PCI_EXP_DEVCTL_PAYLOAD,
    PCI_EXP_FLAGS,
    PCI_EXP_FLAGS_SLOT,
    PCI_EXP_FLAGS_TYPE,
    PCI_EXP_FLAGS_VERS,
    PCI_EXP_LNKCAP,
    PCI_EXP_LNKCAP2,
    PCI_EXP_LNKCTL,
    PCI_EXP_LNKCTL2,
    PCI_EXP_LNKSTA,
    PCI_EXP_RTCTL,
    PCI_EXP_SLTCTL,
    PCI_EXP_TYPE_DOWNSTREAM,
    PCI_EXP_TYPE_ENDPOINT,
    PCI_EXP_TYPE_LEG_END,
    PCI_EXP_TYPE_PCI_BRIDGE,
    PCI_EXP_TYPE_PCIE_BRIDGE,
    PCI_EXP_TYPE_RC_EC,
    PCI_EXP_TYPE_RC_END,
    PCI_EXP_TYPE_ROOT_PORT,
    PCI_EXP_TYPE_UPSTREAM,
)
from guest.pci_core.types import PciDev
from protocol.pci_caps import PCI_CAP_ID_EXP

_PORTS: Final = frozenset(
    {PCI_EXP_TYPE_ROOT_PORT, PCI_EXP_TYPE_DOWNSTREAM, PCI_EXP_TYPE_PCIE_BRIDGE}
)
_HAVE_LINK: Final = _PORTS | {
    PCI_EXP_TYPE_ENDPOINT,
    PCI_EXP_TYPE_LEG_END,
    PCI_EXP_TYPE_UPSTREAM,
    PCI_EXP_TYPE_PCI_BRIDGE,
}
_HAVE_ROOT: Final = frozenset({PCI_EXP_TYPE_ROOT_PORT, PCI_EXP_TYPE_RC_EC})
_LINK_PARTNERS: Final = frozenset(
    {PCI_EXP_TYPE_ENDPOINT, PCI_EXP_TYPE_LEG_END, PCI_EXP_TYPE_UPSTREAM}
)
# What pci_save_pcie_state() keeps, in its order; SLTCTL2, the last, counts as implemented nowhere.
SAVED: Final = (
    *(PCI_EXP_DEVCTL, PCI_EXP_LNKCTL, PCI_EXP_SLTCTL, PCI_EXP_RTCTL),
    *(PCI_EXP_DEVCTL2, PCI_EXP_LNKCTL2),
)


def _type(dev: PciDev) -> int:
    """pci_pcie_type()."""
    return (dev.pcie_flags & PCI_EXP_FLAGS_TYPE) >> 4


def _is_pcie(_: PciDev) -> bool:
    return True


def _has_link(dev: PciDev) -> bool:
    return _type(dev) in _HAVE_LINK


def _second(dev: PciDev) -> bool:
    return dev.pcie_flags & PCI_EXP_FLAGS_VERS > 1


def _has_second_link(dev: PciDev) -> bool:
    return _has_link(dev) and _second(dev)


def _has_slot(dev: PciDev) -> bool:
    return _type(dev) in _PORTS and bool(dev.pcie_flags & PCI_EXP_FLAGS_SLOT)


def _has_root(dev: PciDev) -> bool:
    return _type(dev) in _HAVE_ROOT


# pcie_capability_reg_implemented(): which functions have which of the registers read here.
_IMPLEMENTED: Final[Mapping[int, Callable[[PciDev], bool]]] = MappingProxyType(
    {
        PCI_EXP_DEVCAP: _is_pcie,
        PCI_EXP_DEVCTL: _is_pcie,
        PCI_EXP_LNKCAP: _has_link,
        PCI_EXP_LNKCTL: _has_link,
        PCI_EXP_LNKSTA: _has_link,
        PCI_EXP_SLTCTL: _has_slot,
        PCI_EXP_RTCTL: _has_root,
        PCI_EXP_DEVCTL2: _second,
        PCI_EXP_LNKCAP2: _has_second_link,
        PCI_EXP_LNKCTL2: _has_second_link,
    }
)


async def _read(dev: PciDev, register: int, size: int) -> int:
    """pcie_capability_read_word() and _dword(): 0 where there is no such register."""
    if not dev.pcie_cap or not _IMPLEMENTED[register](dev):
        return 0
    return (await dev.bus.ops.read(dev.bus, dev.devfn, dev.pcie_cap + register, size))[1]


async def _write(dev: PciDev, register: int, value: int) -> None:
    """pcie_capability_write_word()."""
    if _IMPLEMENTED[register](dev):
        await dev.bus.ops.write(dev.bus, dev.devfn, dev.pcie_cap + register, 2, value)


async def set_pcie_port_type(dev: PciDev) -> None:
    """set_pcie_port_type(): what kind of function it is, and how fast its link may be."""
    pos = await pci_find_capability(dev, PCI_CAP_ID_EXP)
    if not pos:
        return
    dev.pcie_cap = pos
    dev.pcie_flags = (await dev.bus.ops.read(dev.bus, dev.devfn, pos + PCI_EXP_FLAGS, 2))[1]
    capabilities = await _read(dev, PCI_EXP_DEVCAP, 4)
    dev.pcie_mpss = capabilities & PCI_EXP_DEVCAP_PAYLOAD
    await _read(dev, PCI_EXP_LNKCAP, 4)
    await _read(dev, PCI_EXP_LNKCAP2, 4)  # pcie_get_supported_speeds()
    await _read(dev, PCI_EXP_LNKCAP, 4)


async def pci_configure_device(dev: PciDev) -> None:
    """pci_configure_device(): payload size, extended tags; relaxed ordering is looked at."""
    if not dev.pcie_cap:
        return
    if _type(dev) == PCI_EXP_TYPE_RC_END:
        await _change_control(dev, clear=PCI_EXP_DEVCTL_PAYLOAD, add=dev.pcie_mpss << 5)
    if await _read(dev, PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_EXT_TAG:
        control = await _read(dev, PCI_EXP_DEVCTL, 2)
        if not control & PCI_EXP_DEVCTL_EXT_TAG:
            await _change_control(dev, clear=0, add=PCI_EXP_DEVCTL_EXT_TAG)
    await _read(dev, PCI_EXP_DEVCTL, 2)  # pcie_relaxed_ordering_enabled()


async def _change_control(dev: PciDev, *, clear: int, add: int) -> None:
    """pcie_capability_clear_and_set_word() of the device's control register."""
    control = await _read(dev, PCI_EXP_DEVCTL, 2)
    await _write(dev, PCI_EXP_DEVCTL, control & ~clear | add)


async def pcie_report_downtraining(dev: PciDev) -> None:
    """pcie_report_downtraining(): the link, and the width it could have, of function 0.

    Model: nothing is printed, since no link of a simulated device is slower than it could be.
    """
    if dev.pcie_cap and _type(dev) in _LINK_PARTNERS and not dev.devfn & 7:
        await _read(dev, PCI_EXP_LNKCAP, 4)
        await _read(dev, PCI_EXP_LNKSTA, 2)


async def pci_save_pcie_state(dev: PciDev) -> None:
    """pci_save_pcie_state()."""
    if dev.pcie_cap:
        dev.saved_pcie = tuple([await _read(dev, register, 2) for register in SAVED])


async def pci_restore_pcie_state(dev: PciDev) -> None:
    """pci_restore_pcie_state(): written without a look at what is there."""
    for register, value in zip(SAVED, dev.saved_pcie, strict=bool(dev.saved_pcie)):
        await _write(dev, register, value)
