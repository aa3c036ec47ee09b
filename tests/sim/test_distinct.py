# SPDX-License-Identifier: MIT
"""One mistake is one mistake however often it shows, and two are two."""

from __future__ import annotations

import msgspec
import pytest

from sim.distinct import mistake_of
from sim.violation import Violation

FREED = Violation(
    "use-after-free",
    "the kernel's own rules",
    "HvPciDev 3 of nvme0 was freed at 0x1f",
    "work/0:hv_eject_device_work/hv_pci_1",
    17,
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message", "HvPciDev 4 of nvme1 was freed at 0x2a"),
        ("context", "work/1:hv_eject_device_work/hv_pci_2#3"),
        ("at_ns", 18),
        ("stacks", (("hv_eject_device_work",),)),
    ],
)
def test_numbers_and_instances_make_no_other_mistake(field: str, value: object) -> None:
    assert mistake_of(msgspec.structs.replace(FREED, **{field: value})) == mistake_of(FREED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "double-free"),
        ("law", "nothing is lost"),
        ("message", "HvPciBus 3 of nvme0 was freed at 0x1f"),
        ("context", "work/0:pci_devices_present_work/hv_pci_1"),
    ],
)
def test_another_law_object_or_function_is_another_mistake(field: str, value: object) -> None:
    assert mistake_of(msgspec.structs.replace(FREED, **{field: value})) != mistake_of(FREED)


@pytest.mark.parametrize(
    ("label", "function"),
    [
        ("work/0:hv_eject_device_work/hv_pci_1#2", "hv_eject_device_work"),
        ("softirq/1:tasklet@1", "tasklet@N"),
        ("actor:administrator", "administrator"),
        ("host", "host"),
        ("end of run", "end of run"),
    ],
)
def test_the_function_is_taken_from_the_label(label: str, function: str) -> None:
    assert mistake_of(msgspec.structs.replace(FREED, context=label)).function == function
