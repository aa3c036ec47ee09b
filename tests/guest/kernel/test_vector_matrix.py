# SPDX-License-Identifier: MIT
"""The vector matrix: nobody gets a vector twice, managed ones stay inside their mask."""

from __future__ import annotations

from errno import EINVAL, ENOSPC

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from guest.kernel.vector_matrix import (
    FIRST_EXTERNAL_VECTOR,
    FIRST_SYSTEM_VECTOR,
    IA32_SYSCALL_VECTOR,
    VectorMatrix,
    cpus_of,
    first_cpu,
)

CPUS = 3
PER_CPU = 202  # 0x20 to 0xea without 0x80


def online_matrix(cpus: int = CPUS) -> VectorMatrix:
    matrix = VectorMatrix(cpus)
    for cpu in range(cpus):
        matrix.online(cpu)
    return matrix


def test_a_cpu_offers_202_vectors() -> None:
    matrix = online_matrix(1)
    vectors = [matrix.alloc(1, reserved=False)[0] for _ in range(PER_CPU)]
    assert vectors[0] == FIRST_EXTERNAL_VECTOR
    assert sorted(vectors) == vectors
    assert vectors[-1] == FIRST_SYSTEM_VECTOR - 1
    assert IA32_SYSCALL_VECTOR not in vectors
    assert matrix.alloc(1, reserved=False) == (-ENOSPC, -1)


def test_the_cpu_with_most_available_is_taken_and_the_lowest_of_equals() -> None:
    matrix = online_matrix()
    assert [matrix.alloc(0b111, reserved=False)[1] for _ in range(4)] == [0, 1, 2, 0]


def test_the_managed_cpu_with_fewest_in_use_is_taken_and_the_highest_of_equals() -> None:
    matrix = online_matrix()
    for _ in range(4):
        assert matrix.reserve_managed(0b111) == 0
    assert [matrix.alloc_managed(0b111)[1] for _ in range(4)] == [2, 1, 0, 2]


def test_a_managed_reservation_that_fits_nowhere_leaves_nothing_behind() -> None:
    matrix = online_matrix()
    for _ in range(PER_CPU):
        assert matrix.alloc(0b100, reserved=False)[0] > 0
    assert matrix.reserve_managed(0b111) == -ENOSPC
    assert [cm.managed for cm in matrix.maps] == [0, 0, 0]
    assert matrix.maps[0].available == PER_CPU


def test_an_empty_mask_is_refused() -> None:
    matrix = online_matrix()
    assert matrix.alloc(0, reserved=False)[0] == -EINVAL
    assert matrix.alloc_managed(0)[0] == -EINVAL


def test_freeing_twice_is_a_slip() -> None:
    matrix = online_matrix()
    vector, cpu = matrix.alloc(1, reserved=False)
    matrix.free(cpu, vector, managed=False)
    with pytest.raises(AssertionError):
        matrix.free(cpu, vector, managed=False)


def test_an_offline_cpu_gives_no_vectors() -> None:
    matrix = online_matrix()
    matrix.offline(0)
    assert matrix.alloc(0b001, reserved=False)[0] == -ENOSPC
    assert matrix.alloc(0b011, reserved=False)[1] == 1


def test_masks_are_read_from_the_lowest_cpu_up() -> None:
    assert cpus_of(0b1010) == [1, 3]
    assert first_cpu(0b1010) == 1
    assert first_cpu(0) == -1


class MatrixMachine(RuleBasedStateMachine):
    """Everything the vector domain does to a matrix, in any order, against a plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = online_matrix()
        self.taken: dict[tuple[int, int], bool] = {}  # (cpu, vector) -> managed
        self.reservations: list[int] = []  # masks
        self.unused = [0] * CPUS  # managed reservations without an allocation, per CPU

    @rule(mask=st.integers(1, 0b111))
    def allocate(self, mask: int) -> None:
        vector, cpu = self.matrix.alloc(mask, reserved=False)
        if vector >= 0:
            self._take(mask, vector, cpu, managed=False)

    @rule(mask=st.integers(1, 0b111))
    def reserve_managed(self, mask: int) -> None:
        if self.matrix.reserve_managed(mask) == 0:
            self.reservations.append(mask)
            for cpu in cpus_of(mask):
                self.unused[cpu] += 1

    @precondition(lambda self: self.reservations)
    @rule(data=st.data())
    def allocate_managed(self, data: st.DataObject) -> None:
        mask = data.draw(st.sampled_from(self.reservations))
        vector, cpu = self.matrix.alloc_managed(mask)
        if vector >= 0:
            self._take(mask, vector, cpu, managed=True)
            self.unused[cpu] -= 1

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        cpu, vector = data.draw(st.sampled_from(sorted(self.taken)))
        managed = self.taken.pop((cpu, vector))
        self.matrix.free(cpu, vector, managed=managed)
        if managed:
            self.unused[cpu] += 1

    @precondition(lambda self: self.reservations)
    @rule(data=st.data())
    def give_up_a_reservation(self, data: st.DataObject) -> None:
        mask = data.draw(st.sampled_from(self.reservations))
        if all(self.unused[cpu] for cpu in cpus_of(mask)):
            self.reservations.remove(mask)
            self.matrix.remove_managed(mask)
            for cpu in cpus_of(mask):
                self.unused[cpu] -= 1

    def _take(self, mask: int, vector: int, cpu: int, *, managed: bool) -> None:
        assert (cpu, vector) not in self.taken
        assert mask >> cpu & 1
        assert FIRST_EXTERNAL_VECTOR <= vector < FIRST_SYSTEM_VECTOR
        assert vector != IA32_SYSCALL_VECTOR
        self.taken[(cpu, vector)] = managed

    @invariant()
    def counters_agree_with_the_maps(self) -> None:
        for cpu, cm in enumerate(self.matrix.maps):
            mine = [managed for (owner, _), managed in self.taken.items() if owner == cpu]
            assert cm.allocated == cm.alloc_map.bit_count() == len(mine)
            assert cm.managed_allocated == sum(mine)
            assert cm.managed == cm.managed_map.bit_count() == sum(mine) + self.unused[cpu]
            assert cm.available == PER_CPU - cm.managed - (len(mine) - sum(mine))
        assert self.matrix.global_available == sum(cm.available for cm in self.matrix.maps)
        assert self.matrix.total_allocated == len(self.taken)


TestMatrix = MatrixMachine.TestCase
TestMatrix.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
