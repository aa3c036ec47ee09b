# SPDX-License-Identifier: MIT
"""Many readers or one writer."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.rwsem import PercpuRwSem
from tests.guest.kernel.orders import ORDERS, chooser_of
from tests.guest.pci_core.fakes import Rig


@ORDERS
def test_readers_share_it_and_a_writer_has_it_alone(seed: int | None) -> None:
    rig = Rig(3, chooser=chooser_of(seed))
    lock = PercpuRwSem(rig.kernel, "lock")
    inside: list[str] = []
    seen: list[tuple[str, ...]] = []

    async def stay(name: str) -> None:
        inside.append(name)
        await ops.msleep(rig.kernel, 3)
        seen.append(tuple(inside))
        inside.remove(name)

    async def read(name: str) -> None:
        await lock.down_read()
        await stay(name)
        lock.up_read()

    async def write() -> None:
        await lock.down_write()
        await stay("writer")
        lock.up_write()

    rig.run(read("first"), read("second"), write(), read("third"))
    assert ("writer",) in seen
    assert not [names for names in seen if "writer" in names and len(names) > 1]
    assert len(seen) == 4


def test_who_comes_while_a_writer_waits_comes_after_it() -> None:
    rig = Rig()
    lock = PercpuRwSem(rig.kernel, "lock")
    order: list[str] = []

    async def early() -> None:
        await lock.down_read()
        await ops.msleep(rig.kernel, 5)
        lock.up_read()

    async def write() -> None:
        await ops.msleep(rig.kernel, 1)
        await lock.down_write()
        order.append("writer")
        lock.up_write()

    async def late() -> None:
        await ops.msleep(rig.kernel, 2)
        await lock.down_read()
        order.append("reader")
        lock.up_read()

    rig.run(early(), write(), late())
    assert order == ["writer", "reader"]
