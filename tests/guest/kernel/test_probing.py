# SPDX-License-Identifier: MIT
"""Probes are put off while the machine hibernates, and made up for afterwards."""

from __future__ import annotations

from functools import partial

from guest.kernel import ops
from guest.kernel.probing import EPROBE_DEFER
from tests.sim.test_engine import Bench


def test_blocking_waits_for_the_probes_that_are_under_way() -> None:
    bench = Bench(cpus=2)
    probing = bench.kernel.probing
    said: list[str] = []

    async def probe() -> None:
        probing.begin()
        await ops.msleep(bench.kernel, 5)
        said.append("probed")
        probing.end()

    async def block() -> None:
        await ops.msleep(bench.kernel, 1)
        await probing.block()
        said.append("blocked")

    bench.thread("probe", probe(), 0)
    bench.thread("block", block(), 1)
    bench.engine.run()
    assert said == ["probed", "blocked"]


def test_what_was_put_off_is_tried_again_in_order_unless_it_has_gone() -> None:
    bench = Bench()
    probing = bench.kernel.probing
    tried: list[str] = []

    async def story() -> None:
        await probing.block()
        for name in ("first", "gone", "last"):
            assert probing.put_off(name, partial(retry, name)) == -EPROBE_DEFER
        probing.forget("gone")
        assert tried == []
        await probing.unblock()

    async def retry(name: str) -> None:
        tried.append(name)

    bench.thread("story", story(), 0)
    bench.engine.run()
    assert tried == ["first", "last"]
    assert not probing.deferring
