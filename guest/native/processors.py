# SPDX-License-Identifier: MIT
"""The machine as the C side tells of it: CPUs that go and come, and the power switch.

Whoever runs contexts learns here where they may run. What the kernel does about a CPU is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from guest.kernel.cpu_takedown import leave_cpu
from guest.kernel.freezer import PoweredOff
from guest.native.contexts import NativeContext
from guest.native.library import NoteKind

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.native.library import Library, Note

BUTTON, REFRIGERATOR = "power button", "refrigerator"  # queues of shim/hibernate.c and freezer.c


class Processors:
    """The CPUs and the power switch of one machine.

    ``places`` are the queues, by name, in which whoever waits while the machine is off waits for
    nobody's fault.
    """

    def __init__(self, library: Library, kernel: Kernel) -> None:
        self._library = library
        self._kernel = kernel
        self.places: Mapping[str, PoweredOff] = {
            name: PoweredOff(name) for name in (BUTTON, REFRIGERATOR)
        }

    def tellers(self) -> Mapping[NoteKind, Callable[[Note], None]]:
        """What each note is for."""
        return {
            NoteKind.POWERED_ON: lambda _: self._switch(off=False),
            NoteKind.CPU_DEAD: lambda note: self._dead(note.a),
            NoteKind.CPU_TAKEN_OVER: lambda note: self._forget_softirqs(note.a),
            NoteKind.CPU_STARTS: lambda note: self._starts(note.a),
        }

    def power_off(self) -> int:
        """The machine is switched off."""
        self._kernel.port.power_off()
        self._switch(off=True)
        return 0

    def _switch(self, *, off: bool) -> None:
        for place in self.places.values():
            place.off = off

    def _dead(self, cpu: int) -> None:
        kernel = self._kernel
        kernel.cpu_online_mask &= ~(1 << cpu)
        for context in leave_cpu(kernel, cpu):
            if isinstance(context, NativeContext):
                assert context.cpu is not None, "it went on at another CPU"
                self._library.call.vx_move(context.number, context.cpu.index)

    def _forget_softirqs(self, cpu: int) -> None:
        """What they were to do was raised again elsewhere."""
        pending = self._kernel.cpus[cpu].softirqs_pending
        while pending:
            self._kernel.scheduler.drop(pending.pop())

    def _starts(self, cpu: int) -> None:
        self._kernel.cpu_online_mask |= 1 << cpu
        self._kernel.cpus[cpu].clear()
