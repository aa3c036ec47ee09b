# SPDX-License-Identifier: MIT
"""When a lock may be left out."""

from __future__ import annotations

from guest.kernel.alone import alone
from guest.kernel.sync import SpinLock
from tests.guest.pci_core.fakes import Rig


def test_a_free_lock_is_not_needed_where_nobody_else_could_run() -> None:
    rig = Rig()
    assert alone(rig.kernel, SpinLock(rig.kernel, "list"))


def test_a_lock_is_needed_where_somebody_else_could_run() -> None:
    rig = Rig()
    rig.kernel.crowded = True
    assert not alone(rig.kernel, SpinLock(rig.kernel, "list"))


def test_a_lock_that_somebody_holds_is_needed() -> None:
    rig = Rig()
    lock = SpinLock(rig.kernel, "list")
    seen: list[bool] = []

    async def hold() -> None:
        await lock.lock()
        seen.append(alone(rig.kernel, lock))
        await lock.unlock()
        seen.append(alone(rig.kernel, lock))

    rig.run(hold())
    assert seen == [False, True]
