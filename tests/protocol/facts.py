# SPDX-License-Identifier: MIT
"""The fact files for the wire tests: layouts, vectors, constants."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from protocol.workbench import RECORDS

DATA = Path(__file__).parents[1] / "data"
DESCRIPTOR_BYTES = 16


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    del loaded["_meta"]
    return loaded


class Fact(NamedTuple):
    """One leaf as the compiler laid it out."""

    path: str
    offset: int
    size: int  # of one element
    signed: bool
    dims: tuple[int, ...]  # (0,): an array of open length
    shift: int
    width: int  # 0: the whole word


# What no declaration of Linux's was measured for, with its source.
_UNMEASURED = {
    # Hypervisor TLFS, HvCallSignalEvent: as hv_monitor_parameter.
    "hv_input_signal_event": {
        "kind": "struct",
        "sizeof": 8,
        "leaves": [
            ["connectionid.asu32", 0, 4, False, [], 0, 0],
            ["connectionid.u.id", 0, 4, False, [], 0, 24],
            ["connectionid.u.reserved", 0, 4, False, [], 24, 8],
            ["flag_number", 4, 2, False, [], 0, 0],
            ["rsvdz", 6, 2, False, [], 0, 0],
        ],
    }
}
LAYOUTS: Mapping[str, Any] = _UNMEASURED | {
    name: layout for group in _load("wire-layouts.json").values() for name, layout in group.items()
}
CONSTANTS: Mapping[str, Any] = _load("wire-constants.json")
VECTORS: Sequence[dict[str, Any]] = _load("wire-vectors.json")["vectors"]


def leaves_of(name: str) -> list[Fact]:
    """The integers of a structure; a kernel GUID is one leaf of 16 bytes without its ``.b``."""
    facts = []
    rows = [(row[0], row) for row in LAYOUTS[name]["leaves"]]
    paths = [path for path, _ in rows]
    for path, (_, offset, size, signed, dims, shift, width) in rows:
        if any(other.startswith(path + "[0].") for other in paths):
            continue  # an array of structures: its members have rows of their own
        if path.endswith(".b") and dims == [16]:
            facts.append(Fact(path.removesuffix(".b"), offset, 16, signed, (), 0, 0))
        else:
            facts.append(Fact(path, offset, size, signed, tuple(dims), shift, width))
    return facts


def data_of(vector: Mapping[str, Any]) -> bytes:
    """The vector's structure, with the ring descriptor where the kernel's begins with it."""
    return bytes.fromhex(vector["struct_hex"])


def payload_of(vector: Mapping[str, Any]) -> bytes:
    """What the record parses of a vector: without the ring descriptor."""
    return data_of(vector)[DESCRIPTOR_BYTES * RECORDS[vector["struct"]].INCLUDES_DESCRIPTOR :]
