# SPDX-License-Identifier: MIT
"""The sysfs-like view: what an agent or a report may read."""

from __future__ import annotations

from guest.pci_core import sysfs
from tests.guest.pci_core.fakes import Rig, nvme


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
