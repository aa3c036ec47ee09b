# SPDX-License-Identifier: MIT
"""The step tables as numbers for the C side: every step that the reference interprets has one."""

import re
from pathlib import Path

from guest.drivers.operations import OPERATIONS
from guest.drivers.registry import DRIVERS
from guest.native.tables import OPS, hand_in_drivers

HEADER = Path(__file__).parents[3] / "guest/native/shim/drivers.h"


class Receiver:
    """Takes what a library would take."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.steps: list[tuple[int, int, str]] = []

    def vx_add_driver(self, name: bytes) -> int:
        self.names.append(name.decode())
        return len(self.names) - 1

    def vx_add_match(self, *_: int) -> None:
        pass

    def vx_add_step(self, driver: int, part: int, step: object) -> None:
        number = step._obj.op  # type: ignore[attr-defined] # noqa: SLF001 - ctypes.byref() has no other
        self.steps.append((driver, part, OPS[number]))


def test_every_operation_of_the_reference_interpreter_has_a_number() -> None:
    assert set(OPS) == set(OPERATIONS)


def test_the_c_side_has_the_operations_in_the_same_order() -> None:
    body = re.search(r"enum vx_op \{(.*?)\}", HEADER.read_text(), re.DOTALL)
    assert body is not None
    names = re.findall(r"OP_(\w+)", body[1])
    assert [name.lower().replace("_", "-") for name in names] == list(OPS)


def test_all_four_parts_of_every_table_are_handed_in_in_order() -> None:
    receiver = Receiver()
    hand_in_drivers(receiver)  # type: ignore[arg-type] # stands in for a loaded library
    assert receiver.names == list(DRIVERS)
    expected = [
        (number, part, step.op)
        for number, table in enumerate(DRIVERS.values())
        for part, steps in enumerate((table.probe, table.remove, table.suspend, table.resume))
        for step in steps
    ]
    assert receiver.steps == expected
