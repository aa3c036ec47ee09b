# SPDX-License-Identifier: MIT
"""The fact files for the wire tests: layouts, vectors, constants, and our records by name."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocol import (
    freebsd,
    hypercall,
    openvmm,
    openvmm_vmbus,
    synic,
    vmbus,
    vmbus_packets,
    vpci,
)
from protocol.codec import WireRecord

DATA = Path(__file__).parents[1] / "data"
DESCRIPTOR_BYTES = 16


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    del loaded["_meta"]
    return loaded


LAYOUTS: Mapping[str, Any] = {
    name: layout for group in _load("wire-layouts.json").values() for name, layout in group.items()
}
CONSTANTS: Mapping[str, Any] = _load("wire-constants.json")
RECORDS: Mapping[str, type[WireRecord]] = {
    record.KERNEL_NAME: record
    for module in (vpci, vmbus, vmbus_packets, synic, hypercall, openvmm, openvmm_vmbus, freebsd)
    for record in vars(module).values()
    if isinstance(record, type) and issubclass(record, WireRecord) and record is not WireRecord
}
VECTORS: Sequence[dict[str, Any]] = [
    vector for vector in _load("wire-vectors.json")["vectors"] if vector["struct"] in RECORDS
]


def payload_of(vector: Mapping[str, Any]) -> bytes:
    """What a record parses of a vector: without the ring descriptor."""
    data = bytes.fromhex(vector["struct_hex"])
    return data[DESCRIPTOR_BYTES * RECORDS[vector["struct"]].INCLUDES_DESCRIPTOR :]
