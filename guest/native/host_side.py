# SPDX-License-Identifier: MIT
"""What C code asks of the host, and how the host's deliveries reach it: hypercalls, device memory,
the pages of messages and event flags. Numbers and bytes only.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from guest.native.library import Request
from protocol.hypercall import (
    HV_HYPERCALL_FAST_BIT,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HVCALL_POST_MESSAGE,
    HVCALL_RETARGET_INTERRUPT,
    call_code,
    variable_header_qwords,
)
from protocol.ids import VpIndex
from protocol.link import MessagePosted
from protocol.synic import HvInputPostMessage

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.native.contexts import NativeContext
    from guest.native.library import Library, Trap

_INPUT_BYTES: Final[Mapping[int, int]] = {  # fixed part of each call's input
    HVCALL_POST_MESSAGE: 256,
    HVCALL_RETARGET_INTERRUPT: 56,
    HVCALL_MMIO_READ: 16,
    HVCALL_MMIO_WRITE: 80,
}


class HostSide:
    """Between one library and one host."""

    def __init__(self, library: Library, kernel: Kernel, entered: Callable[[], None]) -> None:
        self._library = library
        self._port = kernel.port
        self._kernel = kernel
        self._entered = entered
        self._emit = kernel.emit
        self.output = b""  # of the last hypercall

    # --- what the guest asks ---

    def answer(self, context: NativeContext, trap: Trap) -> int:
        """The answer to one question, a number."""
        assert context.cpu is not None, "guest code runs on a CPU"
        request = Request(trap.request)
        trap.held_ns = 0
        if request is Request.HYPERCALL:
            return self._hypercall(context.cpu.vp, trap)
        if request is Request.MMIO_READ:
            value = self._port.mmio_read(trap.a, trap.size)
            trap.held_ns = self._port.take_read_hold()
            return value
        trap.held_ns = self._port.mmio_write(trap.a, trap.size, trap.b)
        return 0

    def _hypercall(self, vp: VpIndex, trap: Trap) -> int:
        control, data = trap.a, _input(trap.a, trap.b)
        result = self._port.hypercall(vp, control, data)
        self.output = result.output
        if result.output:
            c.memmove(trap.c, result.output, len(result.output))
        if call_code(control) == HVCALL_POST_MESSAGE and not result.status:
            self._emit(MessagePosted("guest-to-host", _posted(data)))
        trap.held_ns = result.held_ns or self._port.take_read_hold()
        return result.register

    # --- what the host delivers ---

    def message(self, cpu: int, message: bytes) -> None:
        """Into the CPU's slot, or behind those that wait for it; one that is off is not told."""
        self._library.call.vx_deliver_message(cpu, message, len(message), self._is_told(cpu))
        self._entered()

    def event(self, cpu: int, flag: int) -> None:
        """Set a channel's event flag."""
        self._library.call.vx_deliver_event(cpu, flag, self._is_told(cpu))
        self._entered()

    def _is_told(self, cpu: int) -> bool:
        """Whether an interrupt comes through to it."""
        return self._kernel.cpus[cpu].online and not self._kernel.dead

    def vector(self, cpu: int, vector: int) -> None:
        """A device's interrupt; a CPU that is off takes none, nor does a kernel that crashes."""
        if self._kernel.dead or not self._kernel.cpus[cpu].online:
            return
        self._library.call.vx_device_interrupt(cpu, vector)
        self._entered()


def _input(control: int, input_at: int) -> bytes:
    """A hypercall's input: of a fast call the register, else the bytes it points at."""
    if control & HV_HYPERCALL_FAST_BIT:
        return input_at.to_bytes(8, "little")
    size = _INPUT_BYTES.get(call_code(control), 0) + 8 * variable_header_qwords(control)
    return c.string_at(input_at, size)


def _posted(data: bytes) -> bytes:
    """The control message in a call that posts one."""
    call = HvInputPostMessage.parse(data)
    return call.payload[: call.payload_size]
