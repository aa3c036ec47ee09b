# SPDX-License-Identifier: MIT
"""What each step of a scenario does, as tables: on the host, in the guest, to the whole machine.

Host steps act at once, guest steps are bodies of threads of the guest, and those of the machine
return a thread that is under way. Knows no actor and no order.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from guest.bus_shell import BusShell
from guest.kernel.context import Context
from guest.shell import Shell
from host.partition import Partition
from protocol.ids import Devfn, SlotNumber, wslot_to_devfn
from sim.choices import Option
from sim.engine import Engine
from sim.identity import instance_id
from sim.machine import Machine
from sim.scenario import DeviceSpec, Do
from sim.watch import Watch

if TYPE_CHECKING:
    from guest.native.shell import NativeBusShell, NativeShell


class Stage(NamedTuple):
    """What actors act on, and what they wait by."""

    devices: Mapping[str, DeviceSpec]  # of the scenario, by name
    engine: Engine
    watch: Watch
    partition: Partition
    machine: Machine
    ask: Callable[[Sequence[Option]], int] | None  # the chooser; None in natural order

    @property
    def shell(self) -> Shell | NativeShell:
        """Somebody logged in to the kernel that runs."""
        assert self.machine.shell is not None, "a step in a guest needs one that runs"
        return self.machine.shell

    @property
    def bus_shell(self) -> BusShell | NativeBusShell:
        """The same somebody, who decides which driver a bus has."""
        return self.machine.guest.bus_shell()


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
    "answer-next": lambda stage, step: stage.partition.answer_next(
        _bus(stage, step), step.arguments["message"], step.arguments["data"]
    ),
    "ignore-next": lambda stage, step: stage.partition.ignore_next(
        _bus(stage, step), step.arguments["message"]
    ),
    "answer-late": lambda stage, step: stage.partition.answer_late(
        _bus(stage, step), step.arguments["message"], step.arguments["data"]
    ),
    "defer-access": lambda stage, step: stage.partition.defer_access(
        _bus(stage, step), _wslot(stage, step), step.arguments["kind"], step.arguments["for_ns"]
    ),
    "stall": lambda stage, step: stage.partition.stall(_bus(stage, step), step.arguments["ns"]),
    "forge-packet": lambda stage, step: stage.partition.forge_packet(
        _bus(stage, step),
        step.arguments["data"],
        len8=step.arguments["len8"],
        offset8=step.arguments["offset8"],
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
