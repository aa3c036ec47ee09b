# SPDX-License-Identifier: MIT
"""Plays the actors of a scenario: each is a context of its own that does one step after another.

What a step does is a row of a table. Host steps act on the partition at once; guest steps run as a
thread of the guest, and the actor goes on when the thread has ended, or died with its kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from guest.bus_shell import BusShell
from guest.kernel import ops
from guest.kernel.context import Context, Kind
from guest.shell import Shell
from host.partition import Partition
from protocol.errors import LocalProtocolError
from protocol.ids import Devfn, SlotNumber, wslot_to_devfn
from sim.choices import FAULT_PREFIX, NO_FAULT, Fault, Option
from sim.engine import Engine
from sim.identity import instance_id
from sim.machine import Machine
from sim.scenario import ActorSpec, DeviceSpec, Do, Moment, Pause, Step, Wait
from sim.watch import Watch

LAST: Final = -1  # of a guest's CPUs
MOMENTS: Final = 32  # at which a step "within" may go on: as often as a kind of fault is asked for
SOONER: Final = "sooner"


class Stage(NamedTuple):
    """What actors act on, and what they wait by."""

    devices: Mapping[str, DeviceSpec]  # of the scenario, by name
    engine: Engine
    watch: Watch
    partition: Partition
    machine: Machine
    ask: Callable[[Sequence[Option]], int] | None  # the chooser; None in natural order

    @property
    def shell(self) -> Shell:
        """Somebody logged in to the kernel that runs."""
        assert self.machine.shell is not None, "a step in a guest needs one that runs"
        return self.machine.shell

    @property
    def bus_shell(self) -> BusShell:
        """The same somebody, who decides which driver a bus has."""
        return BusShell(self.machine.guest)


class UnplayedStep(Exception):
    """A step of the scenario that came to nothing; ``path`` is its place in the file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class NeverHappened(UnplayedStep):
    """An actor waited for an event that did not come."""

    def __init__(self, path: str, event: str) -> None:
        super().__init__(path, f"the event {event!r} never happened; wait for another one")


class StepRefused(UnplayedStep):
    """The host or the machine could not do a step when its turn came: gone, not there yet."""

    def __init__(self, step: Do, why: Exception) -> None:
        told = f"{step.verb!r} came when the {step.side} could not do it ({why}); move it"
        super().__init__(step.path, told)


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
        engine = self._stage.engine
        self.context.ready = False
        engine.wake_at(self.context, engine.now_ns() + delay_ns)
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
        if machine.shell is None:
            return
        kernel = machine.guest.kernel
        acts = partial(GUEST_STEPS[step.verb], self._stage, step)
        body = acts() if step.verb in OF_THE_MACHINE else kernel.freezer.process(acts)
        cpu = spec.vcpu if spec.vcpu < len(kernel.cpus) else LAST
        await self._end_of(kernel.spawn_thread(f"{step.verb}:{spec.name}", body, cpu), step)

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


def _bus(stage: Stage, step: Do) -> str:
    assert step.device is not None, f"{step.path}: the grammar gives this step a device"
    return stage.devices[step.device].bus


def _wslot(stage: Stage, step: Do) -> SlotNumber:
    assert step.device is not None, f"{step.path}: the grammar gives this step a device"
    return SlotNumber(stage.devices[step.device].wslot)


def _interrupt(stage: Stage, step: Do) -> None:
    for _ in range(step.arguments["count"]):
        stage.partition.raise_interrupt(
            _bus(stage, step), _wslot(stage, step), step.arguments["vector"]
        )


def _relations(stage: Stage, step: Do) -> None:
    names = step.arguments["functions"]
    wslots = tuple(stage.devices[name].wslot for name in names)
    stage.partition.relations(_bus(stage, step), wslots)


HOST_STEPS: Mapping[str, Callable[[Stage, Do], object]] = {
    "offer": lambda stage, step: stage.partition.offer(_bus(stage, step)),
    "eject": lambda stage, step: stage.partition.eject(_bus(stage, step), _wslot(stage, step)),
    "rescind": lambda stage, step: stage.partition.rescind(_bus(stage, step)),
    "surprise-remove": lambda stage, step: stage.partition.surprise_remove(_bus(stage, step)),
    "reoffer": lambda stage, step: stage.partition.reoffer(_bus(stage, step)),
    "relations": _relations,
    "invalidate-block": lambda stage, step: stage.partition.invalidate_block(
        _bus(stage, step), _wslot(stage, step), step.arguments["mask"]
    ),
    "fail-next": lambda stage, step: stage.partition.fail_next(
        _bus(stage, step), step.arguments["message"], step.arguments["status"]
    ),
    "stall": lambda stage, step: stage.partition.stall(_bus(stage, step), step.arguments["ns"]),
    "forge-packet": lambda stage, step: stage.partition.forge_packet(
        _bus(stage, step), step.arguments["data"]
    ),
    "forge-completion": lambda stage, step: stage.partition.forge_completion(
        _bus(stage, step), step.arguments["request"], step.arguments["data"]
    ),
    "forge-message": lambda stage, step: stage.partition.forge_message(step.arguments["data"]),
    "forge-index": lambda stage, step: stage.partition.forge_index(
        _bus(stage, step), step.arguments["ring"], step.arguments["value"]
    ),
    "interrupt": _interrupt,
}


def _where(stage: Stage, step: Do) -> tuple[UUID, Devfn]:
    return instance_id(_bus(stage, step)), wslot_to_devfn(_wslot(stage, step))


GuestStep = Callable[[Stage, Do], Coroutine[Any, Any, None]]
OF_THE_MACHINE = frozenset({"suspend", "resume"})  # done to all processes, and by none of them
GUEST_STEPS: Mapping[str, GuestStep] = {
    "suspend": lambda stage, _: stage.shell.suspend(),
    "resume": lambda stage, _: stage.shell.resume(),
    "unload": lambda stage, _: stage.bus_shell.unload(),
    "load": lambda stage, _: stage.bus_shell.load(),
    "bind-bus": lambda stage, step: stage.bus_shell.bind(instance_id(_bus(stage, step))),
    "unbind-bus": lambda stage, step: stage.bus_shell.unbind(instance_id(_bus(stage, step))),
    "driver-override": lambda stage, step: stage.bus_shell.override(
        instance_id(_bus(stage, step)), step.arguments["driver"]
    ),
    "bind": lambda stage, step: stage.shell.bind(*_where(stage, step)),
    "unbind": lambda stage, step: stage.shell.unbind(*_where(stage, step)),
    "rescan": lambda stage, _: stage.shell.rescan(),
    "submit": lambda stage, step: stage.shell.submit(*_where(stage, step), step.arguments["count"]),
    "open-device": lambda stage, step: stage.shell.open_device(*_where(stage, step)),
    "close-device": lambda stage, step: stage.shell.close_device(*_where(stage, step)),
    "set-affinity": lambda stage, step: stage.shell.set_affinity(
        *_where(stage, step), step.arguments["vector"], step.arguments["cpus"]
    ),
    "move-channel": lambda stage, step: stage.shell.move_channel(
        instance_id(_bus(stage, step)), step.arguments["cpu"]
    ),
    "cpu-offline": lambda stage, step: stage.shell.cpu_offline(step.arguments["cpu"]),
    "cpu-online": lambda stage, step: stage.shell.cpu_online(step.arguments["cpu"]),
    "read-block": lambda stage, step: stage.shell.read_block(
        *_where(stage, step), step.arguments["block"], step.arguments["size"]
    ),
    "write-block": lambda stage, step: stage.shell.write_block(
        *_where(stage, step), step.arguments["block"], step.arguments["data"]
    ),
}

# What befalls the whole machine; each returns the thread whose end the actor awaits.
MACHINE_STEPS: Mapping[str, Callable[[Machine, Do, int], Context]] = {
    "crash": lambda machine, _, vcpu: machine.crash(vcpu),
    "boot": lambda machine, step, _: machine.boot(**step.arguments),
}
