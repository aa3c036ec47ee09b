# SPDX-License-Identifier: MIT
"""A label gives up its title, and a title or a name its function."""

import pytest

from sim.labels import function_of, title_of


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("work/0:hv_eject_device_work/hv_pci_1", "hv_eject_device_work/hv_pci_1"),
        ("actor:administrator", "administrator"),
        ("host", "host"),
    ],
)
def test_a_title_is_what_follows_the_kind(label: str, title: str) -> None:
    assert title_of(label) == title


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("hv_eject_device_work/hv_pci_1#2", "hv_eject_device_work"),
        ("vmbus_on_event/1@1", "vmbus_on_event"),
        ("hv_acpi_init#2", "hv_acpi_init"),
        ("host", "host"),
    ],
)
def test_a_function_is_what_a_name_begins_with(name: str, function: str) -> None:
    assert function_of(name) == function
