# SPDX-License-Identifier: MIT
"""An interrupt is aimed at the CPU that holds its vector, under its own message.

A vector belongs to one CPU; the host may deliver to any that it is given. The host knows an
interrupt by the address and data of its message, so that aiming another one's message moves that.
Judged where the hypercall succeeded: what was refused changes nothing.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed, MsiComposed, MsiRetargeted
from guest.kernel.irq_events import VectorAllocated
from host.events import InterruptRetargeted
from protocol.hypercall import HV_STATUS_SUCCESS
from sim.oracles.law import Finding, Law, Sees, forget_all

U32 = 0xFFFF_FFFF  # what the hypercall holds of an address


class RetargetsAimRight(Law):
    """``made`` has what the host was last asked for, by the context that asked."""

    name = "an interrupt is aimed at the CPU of its vector, by its own message"
    kind = "lost-interrupt"

    def __init__(self) -> None:
        self._vectors: dict[int, tuple[int, int]] = {}  # by irq: CPU, vector
        self._messages: dict[int, tuple[int, int]] = {}  # by irq: address, data
        self._made: dict[object, InterruptRetargeted] = {}

    def _allocated(self, event: VectorAllocated, *_: object) -> None:
        self._vectors[event.irq] = event.cpu, event.vector

    def _composed(self, event: MsiComposed, *_: object) -> None:
        self._messages[event.irq] = event.address & U32, event.data

    def _asked(self, event: InterruptRetargeted, _at_ns: int, context: object) -> None:
        self._made[context] = event

    def _retargeted(self, event: MsiRetargeted, _at_ns: int, context: object) -> Finding:
        made = self._made.pop(context, None)
        if event.status != HV_STATUS_SUCCESS:
            return None
        irq = event.irq
        vector = self._vectors.get(irq)
        if vector is not None and (event.cpus, event.vector) != ((vector[0],), vector[1]):
            cpus = ", ".join(map(str, event.cpus))
            held = f"holds vector {vector[1]} of CPU {vector[0]}"
            return f"irq {irq} {held} and was aimed at vector {event.vector} of CPU {cpus}"
        if made is None:
            return None
        if (made.address, made.data) != self._messages.get(irq, (made.address, made.data)):
            return f"irq {irq} was aimed by a message that is not its own"
        if made.vector != event.vector or len(made.vps) != len(event.cpus):
            return f"irq {irq} was aimed with what another one needs"
        return None

    def _crashed(self, *_: object) -> None:
        forget_all(self._vectors, self._messages, self._made)

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        VectorAllocated: _allocated,
        MsiComposed: _composed,
        InterruptRetargeted: _asked,
        MsiRetargeted: _retargeted,
    }
