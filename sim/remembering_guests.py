# SPDX-License-Identifier: MIT
"""The real driver's guests as :mod:`sim.remembering` has them: what passes between one and the
outside is told to the library. Knows no order and no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guest.kernel.context import Context
from guest.kernel.pages import PhysicalMemory
from guest.native.contexts import NativeContext
from guest.native.guest import NativeGuest, NativeMemory
from guest.native.known import Does, Input, Known
from guest.native.library import NoteKind, Request
from guest.reference import GuestConfig
from guest.wiring import Wiring
from protocol.ids import Vector, VpIndex
from sim.guests import NativeGuests
from sim.remembering import RememberingEngine

if TYPE_CHECKING:
    from guest.native.library import Library, Note, Trap
    from guest.native.shell import Command


class RememberedMemory(NativeMemory):
    """The library's memory; a window of it is a ring."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self._known = known

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes themselves, shared, and watched from now on."""
        self._known.window(gpa, size_bytes)
        return super().window(gpa, size_bytes)


class RememberedGuest(NativeGuest):
    """The real driver's guest, whose every question and tale is an input."""

    _engine: RememberingEngine

    def watched_by(self, engine: RememberingEngine) -> None:
        """Who is told."""
        self._engine = engine

    def boot(self) -> Context:
        """Every run that is played in C begins with the machine as it is now."""
        self._allow_faults()
        self._engine.known.keep_ready()
        return super().boot()

    def _answer(self, context: NativeContext, trap: Trap) -> int:
        engine = self._engine
        engine.begin(Input.ASK, 0, context)
        engine.known.with_question()
        answer = super()._answer(context, trap)
        engine.known.does(Does.ANSWER, answer, trap.held_ns)
        if trap.request == Request.HYPERCALL and self._host.output:
            engine.known.does(Does.OUTPUT, len(self._host.output), data=self._host.output)
        engine.end()
        return answer

    def _told(self, note: Note) -> None:
        engine = self._engine
        if note.kind == NoteKind.LOG:
            super()._told(note)
            return
        engine.begin(Input.NOTE, 0, engine.current)
        engine.known.with_note(note)
        super()._told(note)
        engine.end()

    async def command(self, command: Command) -> None:
        self._engine.shell(command, self.kernel.current_cpu().index)
        await super().command(command)

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        data = bytes(message)
        self._engine.known.does(Does.MESSAGE, self._cpu_of_vp[vp], len(data), data=data)
        super().synic_message(vp, message)

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        self._engine.known.does(Does.EVENT, self._cpu_of_vp[vp], flag)
        super().synic_event(vp, flag)

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        self._engine.known.does(Does.VECTOR, self._cpu_of_vp[vp], vector)
        super().deliver_vector(vp, vector)


class RememberingGuests(NativeGuests):
    """Makes guests whose runs are remembered."""

    def __init__(self, library: Callable[[], Library], known: Known) -> None:
        super().__init__(library)
        self._known = known

    def memory(self) -> PhysicalMemory:
        return RememberedMemory(self._known)

    def guest(self, config: GuestConfig, wiring: Wiring, number: int) -> RememberedGuest:
        engine = wiring.scheduler
        assert isinstance(engine, RememberingEngine), "who remembers is told by the engine"
        library = self.fresh_library(number)
        guest = RememberedGuest(library, config, wiring)
        guest.watched_by(engine)
        library.ready_for = self._known
        return guest
