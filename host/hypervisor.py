# SPDX-License-Identifier: MIT
"""The hypervisor of one VM: its processors and its devices' interrupt remapping entries.

Answers with HV_STATUS codes and refuses to know what a message, an event or an MMIO address means
(``host.hypercalls`` decodes those for the partition). Delivers nothing itself: says where to.
"""

from collections.abc import Sequence

from host.interrupts import X86_VECTORS
from host.placement import DEFAULT_PLACEMENT, PLACEMENTS, Placement
from host.remapping import REMAPPABLE, MsiFormat, RemapEntry, RemapTable
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.hypercall import (
    HV_STATUS_INSUFFICIENT_MEMORY,
    HV_STATUS_INVALID_DEVICE_ID,
    HV_STATUS_INVALID_PARAMETER,
    HV_STATUS_INVALID_VP_INDEX,
    HV_STATUS_SUCCESS,
)
from protocol.ids import Vector, VpIndex

__all__ = [
    "DEFAULT_PLACEMENT",
    "PLACEMENTS",
    "BadReference",
    "Hypervisor",
    "Placement",
]


class BadReference(RemoteProtocolError):
    """The guest named a device, an entry or a processor that is not there."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what} (HV_STATUS {status:#x})")
        self.status = status


class Hypervisor:
    """Virtual processors, their physical CPUs, and every device's remapping entries."""

    def __init__(
        self,
        vps: Sequence[VpIndex],
        *,
        pcpus: int = 1,
        placement: Placement = PLACEMENTS[DEFAULT_PLACEMENT],
        msi_format: MsiFormat = REMAPPABLE,
        vectors: range = X86_VECTORS,
    ) -> None:
        """``vps``: the VM's VP indices in CPU order, not necessarily 0 to n-1.

        ``vectors``: those that an interrupt may have.
        """
        if not vps or pcpus < 1:
            raise LocalProtocolError("a VM has at least one VP and one pCPU")
        self._position = {vp: position for position, vp in enumerate(vps)}
        self._placement = placement
        self._msi_format = msi_format
        self._vectors = vectors
        self._loads = [0] * pcpus
        self._tables: dict[int, RemapTable] = {}

    @property
    def vps(self) -> tuple[VpIndex, ...]:
        """The VM's virtual processors in CPU order."""
        return tuple(self._position)

    @property
    def pcpu_loads(self) -> tuple[int, ...]:
        """Remapping entries per physical CPU."""
        return tuple(self._loads)

    def add_device(self, device_id: int) -> None:
        """A function with that logical id is in the VM. Functions may share an id: then they share
        the entries too, until the last of them is removed."""
        table = self._tables.get(device_id)
        if table is None:
            self._tables[device_id] = RemapTable(self._msi_format)
        else:
            table.users += 1

    def remove_device(self, device_id: int) -> None:
        """The function left; entries that its guest did not delete are gone with the last user."""
        table = self._tables[device_id]
        table.users -= 1
        if not table.users:
            for entry in table:
                self._loads[entry.pcpu] -= 1
            del self._tables[device_id]

    def create(
        self,
        device_id: int,
        vector: int,
        vector_count: int,
        targets: Sequence[VpIndex],
        delivery_mode: int = 0,
    ) -> tuple[int, int]:
        """Make a block of entries; its first MSI message as ``(address, data)``.

        The n-th vector's message is ``(address, data + n)`` and delivers ``vector + n``.
        :raises BadReference: unknown device, unknown or no VP, impossible vectors, table full.
        """
        table = self._table(device_id)
        vps = self._checked_targets(targets)
        last = vector + vector_count - 1
        if vector_count < 1 or vector not in self._vectors or last not in self._vectors:
            raise BadReference(
                HV_STATUS_INVALID_PARAMETER, f"{vector_count} vectors from {vector} on"
            )
        pcpu = self._placement.at_create(self._position[vps[0]], self._loads, None)
        before = len(table)
        message = table.add_block(Vector(vector), vector_count, vps, delivery_mode, pcpu)
        if message is None:
            raise BadReference(HV_STATUS_INSUFFICIENT_MEMORY, "no remapping entry left")
        self._loads[pcpu] += len(table) - before
        return message

    def delete(self, device_id: int, address: int, data: int) -> None:
        """Forget the block that :meth:`create` named so.

        :raises BadReference: unknown device, or no block with that message.
        """
        table = self._table(device_id)
        before = len(table)
        entry = table.remove_block(address, data)
        if entry is None:
            raise BadReference(
                HV_STATUS_INVALID_PARAMETER, f"no entry {address:#x}/{data:#x} to delete"
            )
        self._loads[entry.pcpu] -= before - len(table)

    def retarget(
        self, device_id: int, address: int, data: int, vector: int, targets: Sequence[VpIndex]
    ) -> int:
        """Send the message ``(address, data)`` elsewhere from now on; an HV_STATUS.

        Nothing changes on an error. Model: OpenVMM's table changes the vector before it looks at
        the processors, so a refused retarget is half done there.
        """
        try:
            table = self._table(device_id)
            entry = table.find(address, data)
            if entry is None or vector not in self._vectors:
                return HV_STATUS_INVALID_PARAMETER
            vps = self._checked_targets(targets)
        except BadReference as refused:
            return refused.status
        pcpu = self._placement.at_retarget(self._position[vps[0]], self._loads, entry.pcpu)
        self._loads[entry.pcpu] -= 1
        self._loads[pcpu] += 1
        moved = RemapEntry(
            Vector(vector), vps, entry.delivery_mode, pcpu, entry.first, entry.block_vectors
        )
        table.replace(address, data, moved)
        return HV_STATUS_SUCCESS

    def deliver(self, device_id: int, address: int, data: int) -> tuple[VpIndex, Vector] | None:
        """Where an MSI write of the device goes: ``(VP, vector)``, or None if it is dropped.

        Whether the vector also gets to that VP is up to the VM's interrupt controller.

        Model: with several targets the first one takes it, for fixed and for lowest priority
        delivery alike (OpenVMM's table does the same; real arbitration is not established).
        """
        table = self._tables.get(device_id)
        entry = None if table is None else table.find(address, data)
        return None if entry is None else (entry.targets[0], entry.vector)

    def _table(self, device_id: int) -> RemapTable:
        table = self._tables.get(device_id)
        if table is None:
            raise BadReference(HV_STATUS_INVALID_DEVICE_ID, f"device {device_id:#x}")
        return table

    def _checked_targets(self, targets: Sequence[VpIndex]) -> tuple[VpIndex, ...]:
        if not targets:
            raise BadReference(HV_STATUS_INVALID_PARAMETER, "no target processor")
        for vp in targets:
            if vp not in self._position:
                raise BadReference(HV_STATUS_INVALID_VP_INDEX, f"VP {vp}")
        return tuple(sorted(targets))
