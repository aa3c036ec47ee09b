# SPDX-License-Identifier: MIT
"""A function's driver probes on the NUMA node of the function."""

from __future__ import annotations

import pytest

from guest.pci_core.types import PciDev
from tests.guest.pci_core.fakes import Rig, nvme
from tests.guest.pci_core.test_power import Sleepy


class Placed(Sleepy):
    """Says which CPU it probes on, and who runs there."""

    async def probe(self, dev: PciDev) -> int:
        kernel = dev.kernel
        self.said.append(f"{kernel.current_cpu().index} {kernel.current.title}")
        return 0


@pytest.mark.parametrize(
    ("node", "online", "probed"),
    [
        (0, 0b1111, "0 local_pci_probe/events#1"),
        (1, 0b1111, "2 local_pci_probe/events#1"),
        (1, 0b1011, "3 local_pci_probe/events#1"),
        (1, 0b0011, "1 test 0"),  # the node has no CPU: the caller probes
        (-1, 0b1111, "1 test 0"),
    ],
)
def test_a_probe_is_made_by_a_worker_on_the_functions_node(
    node: int, online: int, probed: str
) -> None:
    rig = Rig(cpus=4, nodes=(0b0011, 0b1100))
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    dev = rig.pci.devices[(0x1234, 0, 0)]
    dev.numa_node = node
    rig.kernel.cpu_online_mask = online
    driver = Placed()
    assert rig.pci.register_driver(driver) == 0
    assert rig.run(rig.pci.bind(dev, driver.name), cpu=1) == 0
    assert driver.said == [probed]
    assert dev.driver is driver
