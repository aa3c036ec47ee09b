# SPDX-License-Identifier: MIT
"""Read-copy-update: who reads keeps what was there."""

from __future__ import annotations

from guest.kernel.memory import GFP_ATOMIC, Allocated, is_dead
from guest.kernel.rcu import Rcu
from tests.guest.vmbus.scripted_host import ScriptedHost


class Thing(Allocated):
    """Something that readers look at."""

    __slots__ = ()


def test_what_is_freed_goes_at_once_without_readers_and_with_the_last_of_them_otherwise() -> None:
    host = ScriptedHost()
    rcu = Rcu(host.kernel)

    async def story() -> None:
        first = await host.kernel.kzalloc(Thing, GFP_ATOMIC)
        second = await host.kernel.kzalloc(Thing, GFP_ATOMIC)
        assert first is not None
        assert second is not None
        await rcu.kfree_rcu(first)
        assert is_dead(first)
        rcu.read_lock()
        rcu.read_lock()
        await rcu.kfree_rcu(second)
        rcu.read_unlock()
        assert not is_dead(second)
        rcu.read_unlock()
        assert is_dead(second)

    host.kernel.spawn_thread("story", story())
    host.engine.run()
    assert host.kernel.heap.census() == {}
