# SPDX-License-Identifier: MIT
"""Function drivers for the C side: the step tables of ``guest/drivers`` as numbers."""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from guest.drivers.registry import DRIVERS
from guest.drivers.steps import UNDO, DriverOptions, Step

# The order of ``enum vx_op`` in shim/drivers.h.
OPS: Final = (
    *("enable-device", "disable-device", "set-master", "check-alive", "write-register"),
    *("alloc-vectors", "free-vectors", "request-irqs", "free-irqs", "submit-and-wait"),
    *("read-block", "write-block", "register-invalidate", "unregister-invalidate"),
    *("stop-io", "dawdle", "start-io"),
)
NO_OP: Final = len(OPS)
NO_DRIVER: Final = 0xFFFF_FFFF  # the one that matches
NOBODY: Final = 0xFFFF_FFFE  # one that there is not
ANY_ID: Final = 0xFFFF_FFFF
TO_THE_LAST: Final = 1 << 20  # more vectors than there are
SPREADS: Final[Mapping[str | None, int]] = {None: 0, "managed": 1, "none": 2}
_KINDS: Final = {"msi": 1 << 1, "msix": 1 << 2}  # PCI_IRQ_MSI, PCI_IRQ_MSIX

_Numbers = tuple[int, ...]


def _spread(args: Mapping[str, Any]) -> _Numbers:
    kinds = sum(_KINDS[kind] for kind in args["kinds"].split(","))
    return args["min"], SPREADS[args["spread"]], kinds, args.get("max", 0)


# How a step's arguments become at most four numbers; those that are not here take none.
_ARGUMENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], _Numbers]]] = {
    "check-alive": lambda args: (args["bar"], args["offset"]),
    "write-register": lambda args: (args["bar"], args["offset"], args["value"]),
    "alloc-vectors": _spread,
    "request-irqs": lambda args: (args.get("from", 0), args.get("to", TO_THE_LAST)),
    "submit-and-wait": lambda args: (args["timeout_ms"],),
    "read-block": lambda args: (args["block"], args["length"]),
    "write-block": lambda args: (args["block"], args["value"]),
}


class NativeStep(c.Structure):
    """``struct vx_step``."""

    _fields_ = (
        *((name, c.c_uint32) for name in ("op", "undo")),
        *((name, c.c_uint64) for name in ("a", "b", "c", "d")),
    )


class Choice(c.Structure):
    """``struct vx_choice``: which driver one function gets, and with which options."""

    _fields_ = (
        ("instance", c.c_ubyte * 16),
        *((name, c.c_uint32) for name in ("devfn", "driver", "vectors", "rounds")),
        *((name, c.c_uint32) for name in ("remove_ms", "spread")),
    )


def hand_in_drivers(call: c.CDLL) -> dict[str, int]:
    """Give the library every table; its number of each, by name."""
    numbers: dict[str, int] = {}
    for table in DRIVERS.values():
        number = numbers[table.name] = call.vx_add_driver(table.name.encode())
        for match in table.matches:
            vendor = ANY_ID if match.vendor is None else match.vendor
            call.vx_add_match(number, match.class_code, match.class_mask, vendor)
        for part, steps in enumerate((table.probe, table.remove, table.suspend, table.resume)):
            for step in steps:
                call.vx_add_step(number, part, c.byref(_step(step)))
    return numbers


def _step(step: Step) -> NativeStep:
    arguments = _ARGUMENTS.get(step.op)
    undo = OPS.index(UNDO[step.op]) if step.op in UNDO else NO_OP
    return NativeStep(OPS.index(step.op), undo, *(arguments(step.args) if arguments else ()))


def hand_in_choice(
    call: c.CDLL, instance: UUID, devfn: int, driver: int, options: DriverOptions
) -> None:
    """Say which driver a function gets."""
    choice = Choice(
        (c.c_ubyte * 16).from_buffer_copy(instance.bytes_le),
        *(devfn, driver, options.vectors or 0, options.rounds, options.remove_ms),
        SPREADS[options.spread],
    )
    call.vx_add_choice(c.byref(choice))
