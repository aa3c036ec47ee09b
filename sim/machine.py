# SPDX-License-Identifier: MIT
"""The virtual machine: its processors and memory, and which kernel runs on them.

The one owner of that. A kernel can crash, and another one be booted in its place: the host reaches
whichever runs, and nothing of the dead one does anything any more but its crash path. Knows no
host beyond what it delivers, and no actor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from guest.events import KernelBooted, KernelCrashed
from guest.kernel.context import Context
from guest.kernel.pages import PhysicalMemory, ReservedMemory
from guest.reference import GuestConfig
from guest.shell import Shell
from protocol.errors import LocalProtocolError
from protocol.ids import Vector, VpIndex
from sim.crash_kernel import crash_kernel_config
from sim.engine import Engine
from sim.guests import Guest

if TYPE_CHECKING:
    from guest.native.shell import NativeShell

T = TypeVar("T")

CRASH_PATH: Final = "hv_panic_vmbus_unload"


class Build(Protocol):
    """Makes a guest, watched and failing as was asked for."""

    def __call__(self, config: GuestConfig, memory: PhysicalMemory, number: int) -> Guest: ...


class Door:
    """The processors as the host reaches them: open to the kernel that runs.

    What is delivered goes straight to that kernel, so that it costs nothing between. A processor
    on which it does not run takes nothing.
    """

    __slots__ = ("deliver_vector", "synic_event", "synic_message")

    def open_to(self, guest: Guest, vps: frozenset[VpIndex]) -> None:
        """From here on what the host delivers is this guest's; ``vps`` are the machine's."""
        self.deliver_vector: Callable[[VpIndex, Vector], None] = guest.deliver_vector
        self.synic_event: Callable[[VpIndex, int], None] = guest.synic_event
        self.synic_message: Callable[[VpIndex, bytes], None] = guest.synic_message
        running = frozenset(cpu.vp for cpu in guest.kernel.cpus)
        if running != vps:
            self.deliver_vector = _only_on(running, self.deliver_vector)
            self.synic_event = _only_on(running, self.synic_event)
            self.synic_message = _only_on(running, self.synic_message)


def _only_on(
    running: frozenset[VpIndex], deliver: Callable[[VpIndex, T], None]
) -> Callable[[VpIndex, T], None]:
    def to_those(vp: VpIndex, what: T) -> None:
        if vp in running:
            deliver(vp, what)

    return to_those


class Machine:
    """``guest`` is the kernel that was booted last; ``kernels`` are all of them, oldest first.

    ``shell`` is somebody logged in to it, None from a crash to the next boot.
    """

    def __init__(
        self, config: GuestConfig, engine: Engine, memory: PhysicalMemory, build: Build
    ) -> None:
        self._config = config
        self._engine = engine
        self._build = build
        self._crash: Context | None = None  # the dead kernel's crash path
        self.memory: Final = memory
        self.door: Final = Door()
        self.kernels: list[Guest] = []
        self.guest: Guest
        self.shell: Shell | NativeShell | None = None

    @property
    def alive(self) -> bool:
        """Whether a kernel runs; else the last one has crashed and none was booted since."""
        return self.shell is not None

    def load(self) -> None:
        """Put the first kernel in place, on all processors; the host stands by now."""
        self._hand_over(self._build(self._config, self.memory, 1))

    def crash(self, cpu: int) -> Context:
        """The kernel dies on that CPU (-1: the last one), wherever everybody stands.

        On the next one that is online, if that one is not.
        Returns its crash path, after which another kernel may be booted.
        Raises LocalProtocolError if it is dead already.
        """
        if not self.alive:
            raise LocalProtocolError("the kernel is dead already")
        kernel = self.guest.kernel
        where = kernel.online_cpu(cpu)
        self.shell = None
        kernel.die()
        self._engine.halt()
        kernel.emit(KernelCrashed(where.vp))
        path = self.guest.crash_path()
        self._crash = kernel.spawn_thread(CRASH_PATH, path, where.index)
        return self._crash

    def boot(self, pages: int, framebuffer: str = "told") -> Context:
        """Boot a crash kernel: on the processor that crashed, with so many pages of its own.

        ``framebuffer`` is what it knows of that, as :func:`crash_kernel_config` has it.
        Raises LocalProtocolError while the kernel before it lives, or is still crashing.
        """
        if self._crash is None or not self._crash.done:
            raise LocalProtocolError("a kernel is running")
        assert self._crash.cpu is not None, "a kernel crashes on a CPU"
        config = crash_kernel_config(self._config, self._crash.cpu.vp, framebuffer)
        memory = ReservedMemory(self.memory, pages)
        guest = self._build(config, memory, len(self.kernels) + 1)
        self._crash = None
        self._hand_over(guest)
        guest.kernel.emit(KernelBooted(guest.kernel.number, (guest.kernel.cpus[0].vp,)))
        return guest.boot()

    def _hand_over(self, guest: Guest) -> None:
        self.kernels.append(guest)
        self.guest = guest
        self.shell = guest.shell()
        self._engine.attach(guest.kernel)
        self.door.open_to(guest, frozenset(map(VpIndex, self._config.vp_numbers)))
