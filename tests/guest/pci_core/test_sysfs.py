# SPDX-License-Identifier: MIT
"""The sysfs-like view: what an agent or a report may read."""

from __future__ import annotations

from guest.pci_core import sysfs
from tests.guest.pci_core.fakes import Rig, nvme

INSTANCE = "c3055b6c-454f-4b1e-8d6d-7a1f1f0f2f00"


def test_an_agent_finds_the_function_below_its_vmbus_device() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    dev = rig.pci.devices[(0x1234, 0, 0)]
    assert sysfs.device_path(INSTANCE, dev) == (
        f"/sys/bus/vmbus/devices/{INSTANCE}/pci1234:00/1234:00:00.0"
    )


def test_looking_changes_nothing() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    bus = rig.bring_up()
    rig.run(rig.pci.create_slot(bus, 0, "42"))
    refs = rig.pci.devices[(0x1234, 0, 0)].refs.value
    rig.ops.log.clear()
    (dev,) = sysfs.devices(rig.pci)
    assert dev.slot == "42"
    assert dev.numa_node == -1
    assert dev.msi_irqs == ()
    assert sysfs.slots(rig.pci) == [sysfs.SysfsSlot("42", "1234:00:00")]
    assert rig.ops.log == []
    assert rig.pci.devices[(0x1234, 0, 0)].refs.value == refs
