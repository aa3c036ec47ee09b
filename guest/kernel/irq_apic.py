# SPDX-License-Identifier: MIT
"""x86's vectors together with the local APICs that take them: from a vector to its flow handler.

Follows arch/x86/kernel/irq.c and apic/vector.c. Which vector is whose is ``irq_vectors``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guest.kernel import irq_flow
from guest.kernel.irq_events import InterruptSpurious
from guest.kernel.irq_vectors import VectorDomain

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.irq_core import IrqCore


class ApicDomain(VectorDomain):
    """The vector domain of a core. ``irr`` is a bitmap per CPU."""

    __slots__ = ("_core", "_names", "irr")
    reserves = True
    settle_us = 1_000
    moves_at_interrupt = True

    def __init__(self, core: IrqCore, nodes: tuple[int, ...]) -> None:
        super().__init__(core.kernel, nodes)
        self._core = core
        self.irr = [0] * len(core.kernel.cpus)  # vectors that arrived and were not yet taken
        self._names: dict[int, str] = {}  # of the contexts that interrupts run in

    def allocate(self, datas: Sequence[IrqData]) -> int:
        """x86_vector_alloc_irqs()."""
        for index, data in enumerate(datas):
            ret = self.reserve_one(data)
            if ret < 0:
                for other in datas[:index]:
                    self.free(other)
                return ret
        return 0

    def irq_mask(self, _data: IrqData) -> None:
        """A vector has no mask of its own."""

    irq_unmask = irq_mask

    def irq_ack(self, data: IrqData, cpu: int) -> None:
        """apic_ack_edge(), as far as it finishes an earlier move."""
        if data.apic.move_in_progress:
            self.complete_move(data, cpu)

    def retrigger(self, data: IrqData) -> None:
        """apic_retrigger_irq(): an interrupt from this CPU to the one that holds the vector."""
        self.deliver(data.apic.cpu, data.apic.vector)

    def deliver(self, cpu: int, vector: int) -> None:
        """The local APIC of ``cpu`` accepts a vector; one that is pending already merges with it.

        Whoever connects the host calls this; the handler then runs as a hard interrupt there. The
        APIC of an offline CPU is turned off and drops it.
        """
        bit = 1 << vector
        if self.irr[cpu] & bit or not self._core.kernel.cpus[cpu].online:
            return
        self.irr[cpu] |= bit
        key = cpu << 8 | vector
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"vector {vector}@{cpu}"
        self._core.kernel.raise_interrupt(cpu, name, self._common_interrupt(cpu, vector))

    async def _common_interrupt(self, cpu: int, vector: int) -> None:
        """common_interrupt(): find who owns the vector and run its flow handler."""
        self.irr[cpu] &= ~(1 << vector)
        data = self.table[cpu].get(vector)
        if data is None:
            self._no_handler(cpu, vector)
            return
        data.readers += 1
        await irq_flow.handle_edge_irq(self._core, data, cpu)
        await self._core.release(data)

    def _no_handler(self, cpu: int, vector: int) -> None:
        """What common_interrupt() does with a vector nobody owns."""
        kernel = self._core.kernel
        kernel.emit(InterruptSpurious(cpu, vector))
        table = self.table[cpu]
        if vector in table:  # VECTOR_SHUTDOWN: its owner has just left
            del table[vector]
        else:
            kernel.log("err", f"{cpu}.{vector} No irq handler for vector")

    def is_vector_pending(self, cpu: int, vector: int) -> bool:
        """is_vector_pending()."""
        return bool(self.irr[cpu] >> vector & 1)

    def left_behind(self, cpu: int) -> list[IrqData]:
        """The second half of fixup_irqs(): whatever the CPU's IRR and its table still name."""
        owners = sorted(self.table[cpu].items())
        self.table[cpu].clear()
        return [
            owner
            for vector, owner in owners
            if owner is not None and self.is_vector_pending(cpu, vector)
        ]

    def cpu_online(self, cpu: int) -> None:
        """lapic_online(), after a reset of the APIC."""
        self.irr[cpu] = 0
        super().cpu_online(cpu)

    def lost(self, _held: int) -> int:
        """None: the matrix would have said so."""
        return 0
