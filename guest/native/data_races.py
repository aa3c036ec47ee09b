# SPDX-License-Identifier: MIT
"""Data races of the driver's: of which code, and which of them are known and harmless.

Finding them is the C core's business (``core/races.c``). Reads symbols; runs nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from guest.native.library import Library

SIZED: Final = 2  # numbers of a line: address and size
WRAPPER: Final = "driver.c"  # the file of ours that includes the driver


LIBRARIES_KEPT: Final = 16  # whose code was looked for, in one process


class KnownRace(NamedTuple):
    """Two functions that race in the unmodified driver, and why nothing comes of it.

    Linux's own detector would report each: an access without READ_ONCE() or WRITE_ONCE().
    """

    reader: bytes
    writer: bytes
    why: str


_STATE: Final = "asks of hbus->state only whether the bus is removed, which the writer leaves alone"
_REMOVING: Final = "works on hbus->state as it was; removal waits for the work afterwards"
_RESCINDED: Final = "asks channel->rescind again after each time-out, so that it is seen in the end"
_SENT: Final = "asks channel->rescind once; one it does not see costs the time-out of an answer"
_ONCE: Final = "dev_warn_once() asks whether it has warned; at worst there are two warnings"

KNOWN: Final = (
    KnownRace(b"hv_pci_eject_device", b"hv_pci_probe", _STATE),
    KnownRace(b"hv_pci_eject_device", b"create_root_hv_pci_bus", _STATE),
    KnownRace(b"hv_pci_eject_device", b"hv_pci_resume", _STATE),
    KnownRace(b"hv_pci_start_relations_work", b"hv_pci_probe", _STATE),
    KnownRace(b"hv_pci_start_relations_work", b"create_root_hv_pci_bus", _STATE),
    KnownRace(b"hv_pci_start_relations_work", b"hv_pci_resume", _STATE),
    KnownRace(b"pci_devices_present_work", b"hv_pci_remove", _REMOVING),
    KnownRace(b"wait_for_response", b"vmbus_rescind_cleanup", _RESCINDED),
    KnownRace(b"hv_pci_bus_exit", b"vmbus_rescind_cleanup", _SENT),
    KnownRace(b"wait_for_response", b"wait_for_response", _ONCE),
)


def look_for_races(library: Library, *, wanted: bool) -> None:
    """From the next run on, find the driver's data races but for the known ones, or none."""
    if library.looks_for_races == wanted:
        return
    library.looks_for_races = wanted
    low, high = driver_code(library.path) if wanted else (0, 0)
    library.call.vx_look_for_races(low + library.shift, high + library.shift)
    for race in KNOWN:
        library.call.vx_excuse_race(race.reader, race.writer)


class _Function(NamedTuple):
    address: int
    size: int
    file: str  # "" for what several files may call


@lru_cache(maxsize=LIBRARIES_KEPT)
def driver_code(path: Path) -> tuple[int, int]:
    """First address of the driver's code in the file, and the one behind its last.

    What the linker put elsewhere, as it does with initialisation, is left out.
    """
    longest = max(_runs(sorted(_functions(path))), key=len)
    return longest[0].address, longest[-1].address + longest[-1].size


def _runs(functions: list[_Function]) -> Iterator[list[_Function]]:
    """The driver's functions that lie together, with no other file's between them."""
    run: list[_Function] = []
    for function in functions:
        if function.file == WRAPPER:
            run.append(function)
        elif function.file:
            yield run
            run = []
    yield run


def _functions(path: Path) -> Iterator[_Function]:
    """All of them; those of one file follow its name in the table of symbols."""
    listing = subprocess.run(
        ["nm", "--debug-syms", "--no-sort", "--defined-only", "--format=posix", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    file = ""
    for line in listing.splitlines():
        name, kind, *numbers = line.split()
        if kind == "a":
            file = name
        elif kind == "t" and len(numbers) == SIZED:
            yield _Function(int(numbers[0], 16), int(numbers[1], 16), file)
