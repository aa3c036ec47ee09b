# SPDX-License-Identifier: MIT
"""The guest kernel: the one owner of CPUs, heap, pages and log. Everything else hangs on it.

It knows the port to the host and the scheduler that runs its contexts only as protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from guest.kernel import ops
from guest.kernel.context import Context, Kind, Scheduler
from guest.kernel.cpu import Cpu
from guest.kernel.cpu_hotplug import CpuHotplug
from guest.kernel.dpm import DevicePm
from guest.kernel.freezer import Freezer
from guest.kernel.memory import GFP_KERNEL, Allocated, Heap, StackFrame
from guest.kernel.numa import ONE_NODE, NumaNodes
from guest.kernel.pages import PhysicalMemory
from guest.kernel.probing import Probing
from guest.kernel.work import WQ_DFL_ACTIVE, WorkQueue
from guest.port import HostPort
from protocol.hypercall import HypercallResult
from protocol.ids import CpuId, VpIndex

T = TypeVar("T", bound=Allocated)

LOG_LINES_MAX = 10_000  # a run that says more is stuck in a loop; the oldest lines are dropped


class Kernel:
    """One booted guest kernel.

    ``crowded`` is true while some other context could run: only then does a point suspend.
    ``fine`` switches on the points that multiply without telling anything.
    ``fail_allocation`` decides, by class name, whether an allocation fails; None: none does.
    ``ring_is_full`` decides, by payload, whether a packet finds no room; None: only the ring does.
    ``cpu_online_mask`` has bit n for CPU n; after boot only ``hotplug`` writes it.
    ``number`` tells the kernels apart that one machine has booted, the first is 1. ``dead`` is true
    once it has crashed: no interrupt comes through any more.
    """

    __slots__ = ("cpu_online_mask", "cpus", "crowded", "current", "dead", "emit",
                 "events", "fail_allocation", "fine", "freezer", "heap", "hotplug", "log_lines",
                 "memory", "numa", "number", "pm", "port", "probing", "ring_is_full",
                 "scheduler")  # fmt: skip

    def __init__(
        self,
        *,
        port: HostPort,
        scheduler: Scheduler,
        vp_numbers: Sequence[int],
        emit: Callable[[object], None],
        memory: PhysicalMemory,
        numa: NumaNodes = ONE_NODE,
        number: int = 1,
    ) -> None:
        self.port = port
        self.number = number
        self.dead = False
        self.scheduler = scheduler
        self.emit = emit
        self.memory = memory
        self.numa = numa
        self.heap = Heap()
        whose = f"{number}." if number > 1 else ""
        self.cpus = tuple(
            Cpu(CpuId(i), VpIndex(vp), f"{whose}{i}") for i, vp in enumerate(vp_numbers)
        )
        self.cpu_online_mask = (1 << len(self.cpus)) - 1
        self.hotplug = CpuHotplug(self)
        self.crowded = False
        self.fine = False
        self.fail_allocation: Callable[[str], bool] | None = None
        self.ring_is_full: Callable[[bytes], bool] | None = None
        self.current: Context  # set by the scheduler before any guest code runs
        self.log_lines: list[tuple[int, str, str]] = []
        self.events = WorkQueue(self, "events", workers=WQ_DFL_ACTIVE)  # system_wq
        self.probing = Probing(self)
        self.freezer = Freezer(self)
        self.pm = DevicePm(self)

    def now_ns(self) -> int:
        """Simulated time, nanoseconds."""
        return self.scheduler.now_ns()

    def log(self, level: str, text: str) -> None:
        """printk(): kept for the reader, never read by guest code."""
        if len(self.log_lines) == LOG_LINES_MAX:
            del self.log_lines[0]
        self.log_lines.append((self.now_ns(), level, text))

    def current_cpu(self) -> Cpu:
        """The CPU that runs the current context."""
        cpu = self.current.cpu
        assert cpu is not None, "guest code runs on a CPU"
        return cpu

    def online_cpu(self, index: int) -> Cpu:
        """Where what belongs to a CPU runs: there, or on the next one that is online."""
        cpu = self.cpus[index % len(self.cpus)]
        while not cpu.online:
            cpu = self.cpus[(cpu.index + 1) % len(self.cpus)]
        return cpu

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """A hypercall from the current CPU's virtual processor."""
        return self.port.hypercall(self.current_cpu().vp, control, data)

    def mmio_read(self, gpa: int, size: int) -> int:
        """readb/w/l/q."""
        return self.port.mmio_read(gpa, size)

    async def mmio_write(self, gpa: int, size: int, value: int) -> None:
        """writeb/w/l/q; the CPU stands still for as long as the host holds it."""
        held_ns = self.port.mmio_write(gpa, size, value)
        if held_ns:
            self.current.preempt_off += 1
            await ops.burn_ns(self, held_ns, "host holds the CPU")
            self.current.preempt_off -= 1

    def allocation_fails(self, name: str) -> bool:
        """Whether the allocation of that name fails now; for what does not come from kzalloc()."""
        return self.fail_allocation is not None and self.fail_allocation(name)

    async def kzalloc(self, cls: type[T], gfp: str, /, *args: Any, **kwargs: Any) -> T | None:
        """Allocate and construct; None if the allocation fails. A scheduling point."""
        if gfp is GFP_KERNEL:
            ops.forbid_sleep(self, "kzalloc", cls.__name__)
        if self.crowded:
            await ops.offer(self, "kzalloc " + cls.__name__)
        if self.fail_allocation is not None and self.fail_allocation(cls.__name__):
            return None
        obj = cls(*args, **kwargs)
        self.heap.add(obj)
        return obj

    async def kfree(self, obj: Allocated | None) -> None:
        """Free; a scheduling point after it."""
        self.heap.free(obj)
        if self.crowded:
            await ops.offer(self, "kfree")

    def stack_frame(self, function: str) -> StackFrame:
        """A frame for objects that live on the current context's stack."""
        return StackFrame(function)

    async def local_irq_save(self) -> None:
        """Interrupts off on this CPU."""
        self.current.irqs_off += 1

    async def local_irq_restore(self) -> None:
        """Interrupts as they were; what was held off may come now."""
        self.current.irqs_off -= 1
        if self.crowded:
            await ops.offer(self, "local_irq_restore")

    async def local_bh_disable(self) -> None:
        """Softirqs off on this CPU."""
        self.current.bh_off += 1

    async def local_bh_enable(self) -> None:
        """Softirqs as they were; those that were held off run from here on."""
        ops.forbid_softirqs_with_irqs_off(self)
        self.current.bh_off -= 1
        if self.crowded:
            await ops.offer(self, "local_bh_enable")

    def spawn_thread(self, name: str, body: Coroutine[Any, Any, Any], cpu: int = -1) -> Context:
        """kthread_run(): start a thread bound to a CPU, by default the last one.

        VMBus interrupts come in on CPU 0: so a thread meets them from another CPU, if there is one.
        """
        thread = Context(name, Kind.THREAD, self.online_cpu(cpu), body)
        self.scheduler.start(thread)
        return thread

    async def join(self, thread: Context) -> None:
        """Sleep until a thread has ended; one context may join another."""
        ops.forbid_sleep(self, "join")
        while not thread.done:
            thread.joiner = self.current
            self.current.ready = False
            self.current.waiting_for = thread
            await ops.trap("join " + thread.name)
            self.current.waiting_for = None

    def raise_interrupt(self, cpu: int, name: str, body: Coroutine[Any, Any, Any]) -> None:
        """An interrupt arrives: ``body`` runs as a hard interrupt on that CPU."""
        if self.dead:
            body.close()
            return
        self.scheduler.start(Context(name, Kind.HARDIRQ, self.cpus[cpu], body))

    def die(self) -> None:
        """panic(): interrupts are off for ever, and nothing is on any CPU any more."""
        self.dead = True
        for cpu in self.cpus:
            cpu.clear()
