# SPDX-License-Identifier: MIT
"""Plays the actors of a scenario: each is a context of its own that does one step after another.

What a step does is in ``sim/steps.py``. A guest step runs as a thread of the guest, and the actor
goes on when the thread has ended, or died with its kernel.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from guest.kernel import ops
from guest.kernel.context import Context, Kind
from protocol.errors import LocalProtocolError
from sim.choices import FAULT_PREFIX, NO_FAULT, Fault
from sim.scenario import ActorSpec, Do, Moment, Pause, Step, Wait
from sim.steps import GUEST_STEPS, HOST_STEPS, MACHINE_STEPS, OF_THE_MACHINE, Stage

MOMENTS: Final = 32  # at which a step "within" may go on: as often as a kind of fault is asked for
SOONER: Final = "sooner"


class UnplayedStep(Exception):
    """A step of the scenario that came to nothing; ``path`` is its place in the file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class NeverHappened(UnplayedStep):
    """An actor waited for an event that did not come."""

    def __init__(self, path: str, event: str) -> None:
        super().__init__(path, f"the event {event!r} never happened; wait for another one")
        self.event = event


class StepRefused(UnplayedStep):
    """The host or the machine could not do a step when its turn came: gone, not there yet."""

    def __init__(self, step: Do, why: Exception) -> None:
        told = f"{step.verb!r} came when the {step.side} could not do it ({why}); move it"
        super().__init__(step.path, told)
        self.step = step
        self.why = why


class Actor:
    """One actor at work. ``at`` is the step it is on, for whoever asks why it did not end.

    A step that comes too late or too early does nothing, for an explorer may move it there;
    ``refused`` keeps the first, since in natural order it is the scenario's mistake.
    """

    def __init__(self, stage: Stage, spec: ActorSpec) -> None:
        self._stage = stage
        self._spec = spec
        self.at: Step | None = None
        self.refused: StepRefused | None = None
        self.context = Context(spec.name, Kind.ACTOR, None, self._play())

    async def _play(self) -> None:
        for step in self._spec.steps:
            self.at = step
            if isinstance(step, Wait):
                await self._wait(step)
            elif isinstance(step, Pause):
                await self._sleep(step.ns)
            elif isinstance(step, Moment):
                await self._sleep_at_most(step.ns)
            else:
                await ops.trap(step.verb)
                await self._do(step)
        self.at = None

    async def _wait(self, step: Wait) -> None:
        stage = self._stage
        while self._happened(step) < step.count:
            self.context.ready = False
            stage.watch.enlist(self.context)
            await ops.trap(f"wait {step.event}")

    def _happened(self, step: Wait) -> int:
        watch = self._stage.watch
        if step.device is None:
            return watch.count(step.event)
        device = self._stage.devices[step.device]
        return watch.count_of(step.event, device.bus, device.wslot)

    async def _sleep(self, delay_ns: int) -> None:
        self.context.ready = False
        self._stage.engine.wake_after(self.context, delay_ns)
        await ops.trap("pause")

    async def _sleep_at_most(self, most_ns: int) -> None:
        """Until a moment that the chooser picks, as it picks when something fails."""
        ask = self._stage.ask
        sooner = Fault(f"{FAULT_PREFIX}{SOONER}", self.context.title)
        for passed in range(MOMENTS):
            if ask is not None and ask((NO_FAULT, sooner)):
                return
            await self._sleep(most_ns * (passed + 1) // MOMENTS - most_ns * passed // MOMENTS)

    async def _do(self, step: Do) -> None:
        if step.verb == "pause":
            await self._sleep(step.arguments["ns"])
        elif step.side == "guest":
            await self._do_in_the_guest(step)
        else:
            await self._do_outside(step)

    async def _do_in_the_guest(self, step: Do) -> None:
        """A step of somebody logged in; once the kernel is dead there is nobody."""
        machine, spec = self._stage.machine, self._spec
        if not machine.alive:
            return
        kernel = machine.guest.kernel
        acts = partial(GUEST_STEPS[step.verb], self._stage, step)
        body = acts() if step.verb in OF_THE_MACHINE else kernel.freezer.process(acts)
        thread = kernel.spawn_thread(f"{step.verb}:{spec.name}", body, spec.vcpu)
        await self._end_of(thread, step)

    async def _do_outside(self, step: Do) -> None:
        """A step of the host or of the machine, which may be out of turn."""
        try:
            if step.side == "host":
                HOST_STEPS[step.verb](self._stage, step)
                return
            thread = MACHINE_STEPS[step.verb](self._stage.machine, step, self._spec.vcpu)
        except (LocalProtocolError, ValueError) as why:
            self.refused = self.refused or StepRefused(step, why)
            return
        await self._end_of(thread, step)

    async def _end_of(self, thread: Context, step: Do) -> None:
        while not thread.done:
            self.context.ready = False
            thread.joiner = self.context
            await ops.trap(f"await {step.verb}")
