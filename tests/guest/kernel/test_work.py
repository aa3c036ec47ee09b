# SPDX-License-Identifier: MIT
"""Work on a CPU of one's choice, waiting for one item, and tasklets that were held off."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.work import Tasklet, Work, WorkQueue, work_on_cpu
from tests.sim.test_engine import Bench


def test_a_call_on_another_cpu_is_made_there_while_its_caller_waits() -> None:
    bench = Bench(cpus=2)

    async def call() -> int:
        await ops.msleep(bench.kernel, 5)
        bench.log.append(f"called on {bench.kernel.current_cpu().index}")
        return 7

    async def caller() -> None:
        bench.log.append(str(await work_on_cpu(bench.kernel, 1, "call", call)))

    bench.thread("caller", caller(), 0)
    bench.engine.run()
    assert bench.log == ["called on 1", "7"]


def test_one_item_is_waited_for_whether_it_is_queued_or_executed_and_no_other() -> None:
    bench = Bench()
    queue = WorkQueue(bench.kernel, "queue")

    async def item(work: Work) -> None:
        await ops.msleep(bench.kernel, 5)
        bench.log.append(work.name)

    async def caller() -> None:
        first, second, third = (Work(name, item) for name in ("first", "second", "third"))
        await queue.flush_work(first)
        bench.log.append("nothing to wait for")
        for work in (first, second, third):
            await queue.queue(work)
        await queue.flush_work(second)
        bench.log.append("waited")

    bench.thread("caller", caller())
    bench.engine.run()
    assert bench.log == ["nothing to wait for", "first", "second", "waited", "third"]


def test_a_tasklet_that_was_held_off_does_not_run_in_the_call_that_lets_it() -> None:
    bench = Bench()

    async def softirq() -> None:
        bench.log.append("softirq")

    async def thread() -> None:
        tasklet = Tasklet(bench.kernel, "tasklet", softirq)
        await tasklet.disable()
        tasklet.schedule()
        await ops.point(bench.kernel, "meanwhile")
        await tasklet.enable()
        bench.log.append("enabled")
        await ops.point(bench.kernel, "after")
        bench.log.append("later")

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["enabled", "softirq", "later"]
