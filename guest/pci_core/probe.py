# SPDX-License-Identifier: MIT
"""Finding what is on a root bus: drivers/pci/probe.c. Assigns nothing and starts no driver.

Model: below a vPCI bus there are no bridges, so buses are not numbered and a header of type 1
gets its BARs sized but no bus behind it. Every slot is asked: 32 of them, function 0 first.
"""

from __future__ import annotations

from errno import EEXIST, ENOMEM
from itertools import pairwise

from guest.kernel import ops
from guest.kernel.memory import GFP_KERNEL
from guest.kernel.resource import Resource
from guest.pci_core.events import PciDevAdded
from guest.pci_core.express import pci_configure_device
from guest.pci_core.init_capabilities import pci_init_capabilities
from guest.pci_core.power import register_pm
from guest.pci_core.refs import pci_bus_put
from guest.pci_core.regs import ALL_ONES
from guest.pci_core.setup_device import pci_setup_device
from guest.pci_core.types import PciBus, PciDev, PciHostBridge
from protocol.ids import Devfn
from protocol.pci_regs import PCI_VENDOR_ID

_NO_DEVICE = frozenset((ALL_ONES, 0, 0x0000_FFFF, 0xFFFF_0000))
_BUS_END = 256  # behind the last devfn
_RRS_VENDOR_ID = 0x0001  # Configuration Request Retry Status
_RRS_TIMEOUT_MS = 60_000


async def pci_scan_root_bus_bridge(bridge: PciHostBridge) -> int:
    """pci_scan_root_bus_bridge(): register the bridge's bus and scan it; 0 or a negative errno."""
    ret = await _pci_register_host_bridge(bridge)
    if ret < 0:
        return ret
    assert bridge.bus is not None
    await pci_scan_child_bus(bridge.bus)
    return 0


async def _pci_register_host_bridge(bridge: PciHostBridge) -> int:
    pci = bridge.pci
    bus = await pci.kernel.kzalloc(PciBus, GFP_KERNEL, bridge)
    if bus is None:
        return -ENOMEM
    key = (bus.domain_nr, bus.number)
    if key in pci.buses:
        await pci.kernel.kfree(bus)
        return -EEXIST
    bridge.parent.get()  # device_add()
    bridge.bus = bus
    pci.kernel.log("info", f"PCI host bridge to bus {bus.name}")
    _coalesce(bridge.windows)
    for window in bridge.windows:
        if window.flags:
            bus.resources.append(window)
    pci.buses[key] = bus
    return 0


def _coalesce(windows: list[Resource]) -> None:
    """Contiguous windows of one kind become one; the lower of the two is emptied."""
    for low, high in pairwise(windows):
        if low.flags == high.flags and low.end + 1 == high.start:
            high.start = low.start
            low.flags = low.start = low.end = 0


async def pci_scan_child_bus(bus: PciBus) -> None:
    """pci_scan_child_bus(): every slot; devices that are known already are left alone.

    Model: slots are left out of which the bridge driver knows that nobody would answer.
    """
    slot = bus.ops.next_slot(bus, 0)
    while slot < _BUS_END:
        devfn, ids = Devfn(slot), 0
        if (bus.domain_nr, bus.number, devfn) not in bus.pci.devices:
            _, ids = await bus.ops.read(bus, devfn, PCI_VENDOR_ID, 4)
        await pci_scan_slot(bus, devfn, ids)
        slot = bus.ops.next_slot(bus, slot + 8)
    bus.is_added = True


async def pci_scan_slot(bus: PciBus, devfn: Devfn, ids: int) -> int:
    """pci_scan_slot(): function 0, and the other seven if it says it is multi-function.

    ``ids`` is what function 0 has answered, unless it is known. Returns the number of functions
    that no driver core knows yet. Function 0 is required: Hyper-V is not among the hypervisors
    that pass single functions (jailhouse, s390).
    """
    dev = await _pci_scan_single_device(bus, devfn, ids)
    if dev is None:
        return 0
    found = int(not dev.is_added)
    if not dev.multifunction:
        return found
    for other in range(devfn + 1, devfn + 8):
        ids = 0
        if (bus.domain_nr, bus.number, other) not in bus.pci.devices:
            _, ids = await bus.ops.read(bus, Devfn(other), PCI_VENDOR_ID, 4)
        dev = await _pci_scan_single_device(bus, Devfn(other), ids)
        if dev is not None:
            found += not dev.is_added
            dev.multifunction = True
    return found


async def _pci_scan_single_device(bus: PciBus, devfn: Devfn, ids: int) -> PciDev | None:
    """pci_scan_single_device(): the known device of that number, or a new one if it answers."""
    dev = bus.pci.devices.get((bus.domain_nr, bus.number, devfn))
    if dev is not None or ids in _NO_DEVICE:
        return dev
    if ids & 0xFFFF == _RRS_VENDOR_ID:
        ids = await _pci_bus_wait_rrs(bus, devfn)
        if not ids:
            return None
    dev = await _pci_scan_device(bus, devfn, ids)
    if dev is not None:
        await _pci_device_add(dev)
    return dev


async def _pci_scan_device(bus: PciBus, devfn: Devfn, ids: int) -> PciDev | None:
    """pci_scan_device() once somebody has answered: a device object that is set up, or None."""
    dev = await bus.kernel.kzalloc(PciDev, GFP_KERNEL, bus, devfn, ids & 0xFFFF, ids >> 16)
    if dev is None:
        return None
    bus.refs.get()
    if await pci_setup_device(dev) < 0:
        await pci_bus_put(bus)
        await bus.kernel.kfree(dev)
        return None
    return dev


async def _pci_bus_wait_rrs(bus: PciBus, devfn: Devfn) -> int:
    """pci_bus_wait_rrs(): ask a function that says "retry" again, ever later, for up to a minute.

    Returns vendor and device id in one dword, 0 if it never answered otherwise.
    """
    delay_ms = 1
    while delay_ms <= _RRS_TIMEOUT_MS:
        await ops.msleep(bus.kernel, delay_ms)
        delay_ms *= 2
        ret, ids = await bus.ops.read(bus, devfn, PCI_VENDOR_ID, 4)
        if ret:
            return 0
        if ids & 0xFFFF != _RRS_VENDOR_ID:
            return ids
    text = f"pci {bus.name}:{devfn >> 3:02x}: not ready after {delay_ms - 1}ms; giving up"
    bus.kernel.log("warn", text)
    return 0


async def _pci_device_add(dev: PciDev) -> None:
    """pci_device_add(): initialise capabilities, register; drivers come later."""
    await pci_configure_device(dev)
    await pci_init_capabilities(dev)
    bus = dev.bus
    bus.devices.add_tail(dev)
    dev.match_driver = False
    bus.pci.devices[(bus.domain_nr, bus.number, dev.devfn)] = dev
    dev.is_registered = True
    register_pm(dev)
    dev.kernel.emit(PciDevAdded(dev.name, dev.vendor, dev.device))
