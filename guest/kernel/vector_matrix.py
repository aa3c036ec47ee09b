# SPDX-License-Identifier: MIT
"""The per-CPU vector matrix of x86 (kernel/irq/matrix.c). Knows neither interrupts nor devices.

A CPU's vectors are one bitmap held in an int. *Managed* vectors are set aside on every CPU of a
mask when the interrupt is created and can only be used there; the rest come from what is left, on
the CPU that has most available. CPU masks are ints, bit n for CPU n.
"""

from __future__ import annotations

from errno import EINVAL, ENOSPC

FIRST_EXTERNAL_VECTOR = 0x20
FIRST_SYSTEM_VECTOR = 0xEB  # POSTED_MSI_NOTIFICATION_VECTOR, the lowest system vector of 6.12
IA32_SYSCALL_VECTOR = 0x80  # a system vector inside the allocation range


def first_cpu(mask: int) -> int:
    """cpumask_first(): lowest CPU of a non-empty mask; -1 for an empty one."""
    return (mask & -mask).bit_length() - 1


def cpus_of(mask: int) -> list[int]:
    """The CPUs of a mask in ascending order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


class CpuMap:
    """struct cpumap: one CPU's share. ``available`` counts what unmanaged interrupts may take."""

    __slots__ = (
        "alloc_map",
        "allocated",
        "available",
        "initialized",
        "managed",
        "managed_allocated",
        "managed_map",
        "online",
    )

    def __init__(self) -> None:
        self.available = 0
        self.allocated = 0
        self.managed = 0
        self.managed_allocated = 0
        self.initialized = False
        self.online = False
        self.managed_map = 0
        self.alloc_map = 0


class VectorMatrix:
    """struct irq_matrix. Methods return a vector, 0, or a negative errno, as in C."""

    __slots__ = (
        "_range_mask",
        "alloc_end",
        "alloc_start",
        "global_available",
        "global_reserved",
        "maps",
        "online_maps",
        "system_map",
        "total_allocated",
    )

    def __init__(
        self,
        cpus: int,
        *,
        alloc_start: int = FIRST_EXTERNAL_VECTOR,
        alloc_end: int = FIRST_SYSTEM_VECTOR,
        system_vectors: tuple[int, ...] = (IA32_SYSCALL_VECTOR,),
    ) -> None:
        """Allocation range is [alloc_start, alloc_end); system vectors are never handed out."""
        self.alloc_start = alloc_start
        self.alloc_end = alloc_end
        self._range_mask = (1 << alloc_end) - (1 << alloc_start)
        self.system_map = sum(1 << vector for vector in set(system_vectors))
        self.maps = tuple(CpuMap() for _ in range(cpus))
        self.global_available = 0
        self.global_reserved = 0
        self.total_allocated = 0
        self.online_maps = 0

    def online(self, cpu: int) -> None:
        """irq_matrix_online()."""
        cm = self.maps[cpu]
        assert not cm.online
        if not cm.initialized:
            systembits = (self.system_map & self._range_mask).bit_count()
            cm.available = self.alloc_end - self.alloc_start - cm.managed - systembits
            cm.initialized = True
        self.global_available += cm.available
        cm.online = True
        self.online_maps += 1

    def offline(self, cpu: int) -> None:
        """irq_matrix_offline(): what is allocated there stays allocated."""
        cm = self.maps[cpu]
        self.global_available -= cm.available
        cm.online = False
        self.online_maps -= 1

    def movable(self, cpu: int) -> int:
        """irq_matrix_allocated(): the CPU's vectors that would have to go elsewhere."""
        cm = self.maps[cpu]
        return cm.allocated - cm.managed_allocated

    def available_without(self, cpu: int) -> int:
        """irq_matrix_available() for a CPU that goes: what the others have."""
        return self.global_available - self.maps[cpu].available

    def _free_bit(self, cm: CpuMap) -> int:
        """matrix_alloc_area() for one vector: lowest that is in no map, or -1."""
        free = self._range_mask & ~(cm.managed_map | self.system_map | cm.alloc_map)
        return (free & -free).bit_length() - 1

    def reserve_managed(self, mask: int) -> int:
        """irq_matrix_reserve_managed(): one vector set aside on each CPU of ``mask``, or none."""
        done = 0
        for cpu in cpus_of(mask):
            cm = self.maps[cpu]
            bit = self._free_bit(cm)
            if bit < 0:
                self.remove_managed(done)
                return -ENOSPC
            cm.managed_map |= 1 << bit
            cm.managed += 1
            if cm.online:
                cm.available -= 1
                self.global_available -= 1
            done |= 1 << cpu
        return 0

    def remove_managed(self, mask: int) -> None:
        """irq_matrix_remove_managed(): give back one unused managed vector on each CPU."""
        for cpu in cpus_of(mask):
            cm = self.maps[cpu]
            unused = cm.managed_map & ~cm.alloc_map
            assert unused, "a managed vector is given back before it was freed"
            cm.managed_map ^= unused & -unused
            cm.managed -= 1
            if cm.online:
                cm.available += 1
                self.global_available += 1

    def alloc_managed(self, mask: int) -> tuple[int, int]:
        """irq_matrix_alloc_managed(): (vector or -errno, CPU), on the CPU with fewest in use.

        Ties go to the highest CPU, since matrix_find_best_cpu_managed() compares with ``>``.
        """
        if not mask:
            return -EINVAL, -1
        best, fewest = -1, None
        for cpu in cpus_of(mask):
            cm = self.maps[cpu]
            if cm.online and (fewest is None or cm.managed_allocated <= fewest):
                best, fewest = cpu, cm.managed_allocated
        if best < 0:
            return -ENOSPC, -1
        cm = self.maps[best]
        unused = cm.managed_map & ~cm.alloc_map
        if not unused:
            return -ENOSPC, -1
        bit = (unused & -unused).bit_length() - 1
        cm.alloc_map |= 1 << bit
        cm.allocated += 1
        cm.managed_allocated += 1
        self.total_allocated += 1
        return bit, best

    def reserve(self) -> bool:
        """irq_matrix_reserve(): book-keeping only; True if more are reserved than available."""
        exceeded = self.global_reserved == self.global_available
        self.global_reserved += 1
        return exceeded

    def remove_reserved(self) -> None:
        """irq_matrix_remove_reserved()."""
        self.global_reserved -= 1

    def alloc(self, mask: int, *, reserved: bool) -> tuple[int, int]:
        """irq_matrix_alloc(): (vector or -errno, CPU), on the CPU with most available.

        Ties go to the lowest CPU. ``reserved`` says that a reservation is being redeemed.
        """
        if not mask:
            return -EINVAL, -1
        best, most = -1, 0
        for cpu in cpus_of(mask):
            cm = self.maps[cpu]
            if cm.online and cm.available > most:
                best, most = cpu, cm.available
        if best < 0:
            return -ENOSPC, -1
        cm = self.maps[best]
        bit = self._free_bit(cm)
        if bit < 0:
            return -ENOSPC, -1
        cm.alloc_map |= 1 << bit
        cm.allocated += 1
        cm.available -= 1
        self.total_allocated += 1
        self.global_available -= 1
        if reserved:
            self.global_reserved -= 1
        return bit, best

    def free(self, cpu: int, vector: int, *, managed: bool) -> None:
        """irq_matrix_free()."""
        cm = self.maps[cpu]
        assert cm.alloc_map >> vector & 1, f"vector {vector} of CPU {cpu} is not allocated"
        cm.alloc_map ^= 1 << vector
        cm.allocated -= 1
        if managed:
            cm.managed_allocated -= 1
        if cm.online:
            self.total_allocated -= 1
        if not managed:
            cm.available += 1
            if cm.online:
                self.global_available += 1
