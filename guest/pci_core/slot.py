# SPDX-License-Identifier: MIT
"""Physical slots of a bus: drivers/pci/slot.c. One slot per number, shared by reference.

Model: no hotplug driver claims a slot, and the placeholder and whole-bus numbers are not used.
"""

from __future__ import annotations

from guest.kernel.memory import GFP_KERNEL
from guest.pci_core.refs import pci_bus_put
from guest.pci_core.types import PciBus, PciDev, PciSlot, PciState


async def pci_dev_assign_slot(dev: PciDev) -> None:
    """pci_dev_assign_slot(): a new device takes the slot that was made for its number."""
    mutex = dev.bus.pci.slot_mutex
    await mutex.lock()
    for slot in dev.bus.slots:
        if slot.number == dev.devfn >> 3:
            dev.slot = slot
    await mutex.unlock()


def _make_slot_name(pci: PciState, name: str) -> str:
    """make_slot_name(): ``name``, or ``name-1``, ``name-2``… while that is taken."""
    unique, duplicate = name, 0
    while unique in pci.slot_names:
        duplicate += 1
        unique = f"{name}-{duplicate}"
    return unique


async def pci_create_slot(bus: PciBus, slot_nr: int, name: str) -> PciSlot | None:
    """pci_create_slot(): a reference to the slot of that number; None if memory is short.

    If the slot exists its name stays as it is. ``slot_nr`` is PCI_SLOT(devfn), 0-31.
    """
    mutex = bus.pci.slot_mutex
    await mutex.lock()
    slot = next((s for s in bus.slots if s.number == slot_nr), None)
    if slot is not None:
        slot.refs.get()
    else:
        slot = await _new_slot(bus, slot_nr, name)
    await mutex.unlock()
    return slot


async def _new_slot(bus: PciBus, slot_nr: int, name: str) -> PciSlot | None:
    unique = _make_slot_name(bus.pci, name)
    slot = await bus.kernel.kzalloc(PciSlot, GFP_KERNEL, bus, slot_nr, unique)
    if slot is None:
        return None
    bus.refs.get()
    bus.slots.add_tail(slot)
    bus.pci.slot_names[unique] = slot
    for dev in bus.devices:
        if dev.devfn >> 3 == slot_nr:
            dev.slot = slot
    return slot


async def pci_destroy_slot(slot: PciSlot) -> None:
    """pci_destroy_slot(): drop one reference; the last one takes the slot out of sysfs."""
    mutex = slot.bus.pci.slot_mutex
    await mutex.lock()
    if slot.refs.put():
        await _pci_slot_release(slot)
    await mutex.unlock()


async def _pci_slot_release(slot: PciSlot) -> None:
    bus = slot.bus
    for dev in bus.devices:
        if dev.devfn >> 3 == slot.number:
            dev.slot = None
    bus.slots.delete(slot)
    del bus.pci.slot_names[slot.name]
    await bus.kernel.kfree(slot)
    await pci_bus_put(bus)
