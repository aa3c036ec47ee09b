# SPDX-License-Identifier: MIT
"""What a scan reads and sets in the PCI Express capability of a function."""

import pytest

from tests.guest.pci_core.fakes import RegisterFile, Rig, nvme

EXP = 0x70
DEVCTL = EXP + 0x08


def scanned(function: RegisterFile) -> Rig:
    rig = Rig()
    rig.ops.functions[0] = function
    rig.run(rig.pci.scan_root_bus_bridge(rig.bridge))
    return rig


def accesses(rig: Rig, kind: str) -> list[int]:
    return [
        where - EXP for done, where, _, _ in rig.ops.log if done == kind and EXP <= where < 0xB0
    ]


def test_a_function_of_the_second_version_says_which_speeds_its_link_has() -> None:
    assert 0x2C in accesses(scanned(nvme()), "r")


def test_a_function_of_the_first_version_has_no_such_register() -> None:
    function = nvme()
    function.put(EXP + 2, 2, 0x0001)
    assert 0x2C not in accesses(scanned(function), "r")


def test_an_endpoint_inside_the_root_complex_has_no_link_and_takes_the_largest_payload() -> None:
    function = nvme()
    function.put(EXP + 2, 2, 0x0092)
    function.put(EXP + 4, 4, 0x0000_0002)
    function.writable[DEVCTL] = 0xFFFF
    rig = scanned(function)
    assert 0x0C not in accesses(rig, "r")
    assert rig.ops.functions[0].get(DEVCTL, 2) == 2 << 5


@pytest.mark.parametrize(("before", "writes"), [(0x0000, [0x0100]), (0x0100, [])])
def test_extended_tags_are_switched_on_where_the_function_knows_them(
    before: int, writes: list[int]
) -> None:
    function = nvme()
    function.put(EXP + 4, 4, 0x0000_0020)
    function.put(DEVCTL, 2, before)
    rig = scanned(function)
    assert [
        value for kind, where, _, value in rig.ops.log if (kind, where) == ("w", DEVCTL)
    ] == writes


def test_only_function_0_tells_of_its_link() -> None:
    first, second = nvme(), nvme()
    first.put(0x0E, 1, 0x80)
    rig = Rig()
    rig.ops.functions.update({0: first, 1: second})
    rig.run(rig.pci.scan_root_bus_bridge(rig.bridge))
    assert accesses(rig, "r").count(0x12) == 1
