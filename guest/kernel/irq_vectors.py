# SPDX-License-Identifier: MIT
"""The x86 vector domain: which interrupt sits on which vector of which CPU. Knows no MSI.

Follows arch/x86/kernel/apic/vector.c. An unmanaged interrupt first only *reserves* a vector and
points at the shutdown vector; activation gives it a real one. A managed one has a vector set aside
on every CPU of its mask.

Model: vector_lock is left out, since nothing suspends inside this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBUSY, ENOSPC
from typing import TYPE_CHECKING

from guest.kernel.cpu import NUMA_NO_NODE
from guest.kernel.irq import MANAGED_IRQ_SHUTDOWN_VECTOR, IrqData
from guest.kernel.irq_events import VectorAllocated, VectorFreed
from guest.kernel.vector_matrix import VectorMatrix, cpus_of

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

JIFFY_NS = 4_000_000  # HZ=250


class VectorDomain:
    """x86_vector_domain with its matrix.

    ``table`` is per_cpu(vector_irq), a dict per CPU: no entry is VECTOR_UNUSED, None is
    VECTOR_SHUTDOWN (its owner has just left, so one late interrupt is no surprise).
    """

    __slots__ = ("_cleanups", "_kernel", "matrix", "nodes", "table")

    def __init__(self, kernel: Kernel, nodes: Sequence[int]) -> None:
        """``nodes``: the CPU mask of each NUMA node; together they cover every CPU."""
        self._kernel = kernel
        count = len(kernel.cpus)
        self.matrix = VectorMatrix(count)
        self.nodes = tuple(nodes)
        self.table: list[dict[int, IrqData | None]] = [{} for _ in range(count)]
        self._cleanups: list[IrqData] = []  # moved interrupts, oldest first
        for cpu in cpus_of(kernel.cpu_online_mask):
            self.matrix.online(cpu)

    def reserve_one(self, data: IrqData) -> int:
        """x86_vector_alloc_irqs() for one interrupt: reserve, managed or global. 0 or -ENOSPC."""
        apic = data.apic
        if data.managed:
            apic.is_managed = True
            return self.matrix.reserve_managed(data.affinity)
        self._reserve(data)
        return 0

    def _reserve(self, data: IrqData) -> None:
        """reserve_irq_vector_locked()."""
        if self.matrix.reserve():
            self._kernel.log("warn", "Interrupt reservation exceeds available resources")
        data.apic.can_reserve = data.apic.has_reserved = True
        data.can_reserve = True
        self._assign_shutdown(data)

    def _assign_shutdown(self, data: IrqData) -> None:
        """vector_assign_managed_shutdown(): the dummy target, on the first CPU that is online."""
        data.vector = MANAGED_IRQ_SHUTDOWN_VECTOR
        online = self._kernel.cpu_online_mask
        data.effective_affinity = online & -online

    def activate(self, data: IrqData, *, reserve: bool) -> int:
        """x86_vector_activate(): a real vector, or with ``reserve`` only the dummy target."""
        apic = data.apic
        if not apic.can_reserve and not apic.is_managed:
            self._assign_any(data)
            return 0
        if reserve or data.managed_shutdown:
            self._assign_shutdown(data)
            return 0
        if apic.is_managed:
            return self._assign_managed(data, data.affinity & self._kernel.cpu_online_mask)
        return self._activate_reserved(data) if apic.has_reserved else 0

    def _activate_reserved(self, data: IrqData) -> int:
        apic = data.apic
        ret = self._assign_any(data)
        if ret == 0:
            apic.has_reserved = False
            if not data.can_reserve:
                apic.can_reserve = False
        if data.effective_affinity & ~data.affinity:
            text = f"irq {data.irq}: Affinity broken due to vector space exhaustion."
            self._kernel.log("warn", text)
        return ret

    def deactivate(self, data: IrqData) -> None:
        """x86_vector_deactivate(): back to a reservation, or to managed shutdown."""
        apic = data.apic
        if (not apic.is_managed and not apic.can_reserve) or apic.has_reserved:
            return
        self._clear(data)
        if apic.can_reserve:
            self._reserve(data)
        else:
            self._assign_shutdown(data)

    def free(self, data: IrqData) -> None:
        """x86_vector_free_irqs() for one interrupt."""
        self._clear(data)
        if data.apic.has_reserved:
            self.matrix.remove_reserved()
        if data.apic.is_managed:
            self.matrix.remove_managed(data.affinity)

    def set_affinity(self, data: IrqData, mask: int) -> int:
        """apic_set_affinity(): 0, -EBUSY while an earlier move is unfinished, or -ENOSPC."""
        self.run_cleanups()
        dest = mask & self._kernel.cpu_online_mask
        if data.managed:
            return self._assign_managed(data, dest & data.affinity)
        return self._assign(data, dest)

    def _assign_any(self, data: IrqData) -> int:
        """assign_irq_vector_any_locked(): node and affinity, then each alone, then anywhere."""
        self.run_cleanups()
        affinity = data.affinity
        node = NUMA_NO_NODE if data.node >= len(self.nodes) else data.node
        if node != NUMA_NO_NODE and self._assign(data, self.nodes[node] & affinity) == 0:
            return 0
        if self._assign(data, affinity & self._kernel.cpu_online_mask) == 0:
            return 0
        if node != NUMA_NO_NODE and self._assign(data, self.nodes[node]) == 0:
            return 0
        return self._assign(data, self._kernel.cpu_online_mask)

    def _assign(self, data: IrqData, dest: int) -> int:
        """assign_vector_locked()."""
        apic = data.apic
        if apic.vector and self._online(apic.cpu) and dest >> apic.cpu & 1:
            return 0
        if apic.move_in_progress or apic.cleanup_due_ns is not None:
            return -EBUSY
        vector, cpu = self.matrix.alloc(dest, reserved=apic.has_reserved)
        if vector < 0:
            return vector
        self._update(data, vector, cpu)
        return 0

    def _assign_managed(self, data: IrqData, dest: int) -> int:
        """assign_managed_vector()."""
        apic = data.apic
        if apic.vector and dest >> apic.cpu & 1:
            return 0
        vector, cpu = self.matrix.alloc_managed(dest)
        if vector < 0:
            return vector
        self._update(data, vector, cpu)
        return 0

    def _update(self, data: IrqData, vector: int, cpu: int) -> None:
        """apic_update_vector() and apic_update_irq_cfg()."""
        apic = data.apic
        apic.prev_vector = 0
        if apic.vector:
            if self._online(apic.cpu):
                apic.move_in_progress = True
                apic.prev_vector, apic.prev_cpu = apic.vector, apic.cpu
            else:  # its entry stays: fixup_irqs() still looks for what is pending there
                self._release(data, apic.cpu, apic.vector)
        apic.vector, apic.cpu = vector, cpu
        assert self.table[cpu].get(vector) is None, f"vector {vector} of CPU {cpu} has an owner"
        self.table[cpu][vector] = data
        data.vector = vector
        data.effective_affinity = 1 << cpu
        self._kernel.emit(VectorAllocated(data.irq, cpu, vector, apic.is_managed))

    def _online(self, cpu: int) -> bool:
        return bool(self._kernel.cpu_online_mask >> cpu & 1)

    def _release(self, data: IrqData, cpu: int, vector: int) -> None:
        self.matrix.free(cpu, vector, managed=data.apic.is_managed)
        self._kernel.emit(VectorFreed(data.irq, cpu, vector))

    def _clear(self, data: IrqData) -> None:
        """clear_irq_vector(): give back the vector and the one it is moving away from."""
        apic = data.apic
        if not apic.vector:
            return
        self.table[apic.cpu][apic.vector] = None
        self._release(data, apic.cpu, apic.vector)
        apic.vector = 0
        if apic.prev_vector:
            self.table[apic.prev_cpu][apic.prev_vector] = None
        self._forget_moved(data)

    def _free_moved(self, data: IrqData) -> None:
        """free_moved_vector()."""
        if data.apic.prev_vector:
            del self.table[data.apic.prev_cpu][data.apic.prev_vector]
        self._forget_moved(data)

    def _forget_moved(self, data: IrqData) -> None:
        apic = data.apic
        if apic.cleanup_due_ns is not None:
            self._cleanups.remove(data)
            apic.cleanup_due_ns = None
        if apic.prev_vector:
            self._release(data, apic.prev_cpu, apic.prev_vector)
        apic.prev_vector = 0
        apic.move_in_progress = False

    def complete_move(self, data: IrqData, cpu: int) -> None:
        """irq_complete_move(): an interrupt came in on the new CPU, so the old vector may go."""
        apic = data.apic
        if not apic.move_in_progress or apic.cpu != cpu:
            return
        apic.move_in_progress = False
        if self._online(apic.prev_cpu):
            apic.cleanup_due_ns = self._timer_of(apic.prev_cpu)
            self._cleanups.append(data)
        else:
            self._free_moved(data)

    def _timer_of(self, cpu: int) -> int:
        """When the CPU's timer expires, which is set if it is not: for all that it cleans up."""
        due = (data.apic.cleanup_due_ns for data in self._cleanups if data.apic.prev_cpu == cpu)
        return next(due, None) or self._in_a_jiffy()

    def _in_a_jiffy(self) -> int:
        """A timer set to one jiffy from now never expires early: at the next tick but one."""
        return (self._kernel.now_ns() // JIFFY_NS + 2) * JIFFY_NS

    def force_complete_move(self, data: IrqData, cpu: int) -> None:
        """irq_force_complete_move(): CPU ``cpu`` goes away, so no interrupt will complete it."""
        apic = data.apic
        if apic.prev_vector and cpu in (apic.cpu, apic.prev_cpu):
            self._free_moved(data)

    def run_cleanups(self) -> None:
        """vector_cleanup_callback() of each CPU whose timer has expired.

        A move that still has an interrupt pending at the old place waits for the next time.
        Model: looked at when the next vector is wanted instead of from a timer, which nobody
        could tell apart.
        """
        now_ns = self._kernel.now_ns() if self._cleanups else 0
        for data in tuple(self._cleanups):
            apic = data.apic
            assert apic.cleanup_due_ns is not None
            if apic.cleanup_due_ns > now_ns:
                continue
            if self.is_vector_pending(apic.prev_cpu, apic.prev_vector):
                apic.cleanup_due_ns = self._in_a_jiffy()
            else:
                self._free_moved(data)

    def is_vector_pending(self, _cpu: int, _vector: int) -> bool:
        """is_vector_pending(): whether it has arrived and nobody has taken it (``irq_apic``)."""
        return False

    def can_unplug(self, cpu: int) -> int:
        """lapic_can_unplug_cpu(): 0, or -ENOSPC if the other CPUs have no room for its vectors.

        Managed ones do not count, for they are shut down with their last CPU.
        """
        wanted, room = self.matrix.movable(cpu), self.matrix.available_without(cpu)
        if room >= wanted:
            return 0
        text = f"CPU {cpu} has {wanted} vectors, {room} available. Cannot disable CPU"
        self._kernel.log("warn", text)
        return -ENOSPC

    def cpu_online(self, cpu: int) -> None:
        """lapic_online(): no vector of the CPU has an owner yet."""
        self.table[cpu].clear()
        self.matrix.online(cpu)

    def cpu_offline(self, cpu: int) -> None:
        """lapic_offline(): what has to be cleaned up there is, at once."""
        for data in [d for d in self._cleanups if d.apic.prev_cpu == cpu]:
            self._free_moved(data)
        self.matrix.offline(cpu)
