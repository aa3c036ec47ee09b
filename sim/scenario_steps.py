# SPDX-License-Identifier: MIT
"""An actor's list of steps, read and written out: repeats, counted devices, waits by number.

Knows the devices of one scenario and the names of events; knows nothing of playing them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from protocol.vpci import MessageType
from sim.event_names import EVENT_NAMES
from sim.scenario import ActorSpec, DeviceSpec, Do, Moment, Pause, Step, Wait
from sim.scenario_grammar import CAUSES, REPEAT, REQUIRES, STEPS, STEPS_MAX, WAIT, WITHIN, StepRow
from sim.scenario_tables import TableReader, hint

_HEADS: Final = ("do", "wait", "repeat", "after_ns", "within_ns")
_OFFERS: Final = ("offer", "reoffer")
DEPTH_MAX: Final = 4  # repeats inside repeats


class StepReader:
    """Reads the steps of one scenario's actors.

    ``groups`` gives the names a counted device stands for; a step on it is a step on each of them.
    """

    def __init__(
        self,
        tables: TableReader,
        devices: Mapping[str, DeviceSpec],
        groups: Mapping[str, tuple[str, ...]],
        vcpus: int,
    ) -> None:
        self._tables = tables
        self._devices = devices
        self._groups = groups
        self._vcpus = vcpus

    def steps_of(self, table: Mapping[str, object], path: str) -> tuple[Step, ...]:
        """The steps of one actor's table, in order."""
        waited: Counter[tuple[str, str | None]] = Counter()
        steps: list[Step] = []
        for step in self._read_list(table, path, waited, depth=0):
            if len(steps) >= STEPS_MAX:
                raise self._tables.fail(f"{path}.steps", f"come to more than {STEPS_MAX} steps")
            steps.append(step)
        return tuple(steps)

    def check_vcpu(self, vcpu: int, path: str) -> None:
        """Refuse a vCPU that the guest does not have."""
        if vcpu >= self._vcpus:
            raise self._tables.fail(path, f"vCPUs are numbered 0 to {self._vcpus - 1}")

    # --- reading ---

    def _read_list(
        self,
        table: Mapping[str, object],
        path: str,
        waited: Counter[tuple[str, str | None]],
        depth: int,
    ) -> Iterator[Step]:
        if depth > DEPTH_MAX:
            raise self._tables.fail(path, f"repeats at most {DEPTH_MAX} deep; write it flatter")
        for place, raw in self._tables.array(table, "steps", path):
            if not isinstance(raw, Mapping):
                raise self._tables.fail(place, 'must be a table such as { do = "offer" }')
            heads = [head for head in _HEADS if head in raw]
            head = heads[0] if heads else ""
            if head == "do":
                yield from self._do(raw, place)
            elif head == "wait":
                yield from self._wait(raw, place, waited)
            elif head == "repeat":
                times = self._tables.table(raw, place, REPEAT, ("steps",))["repeat"]
                for _ in range(times):
                    yield from self._read_list(raw, place, waited, depth + 1)
            elif head == "within_ns":
                yield Moment(ns=self._tables.table(raw, place, WITHIN)["within_ns"], path=place)
            else:
                yield self._after(raw, place)

    def _after(self, raw: Mapping[str, object], path: str) -> Step:
        if "after_ns" not in raw:
            raise self._tables.fail(path, f"must have one of {', '.join(_HEADS)}")
        keys = tuple(key for key in WAIT if key.name == "after_ns")
        return Pause(ns=self._tables.table(raw, path, keys)["after_ns"], path=path)

    def _do(self, raw: Mapping[str, object], path: str) -> Iterator[Step]:
        verb = raw["do"]
        row = STEPS.get(verb) if isinstance(verb, str) else None
        if row is None:
            raise self._tables.fail(
                f"{path}.do", f"unknown step {verb!r}; {hint(str(verb), STEPS)}"
            )
        values = self._tables.table(raw, path, row.keys, ("do",))
        if row.verb == "pause":
            yield Pause(ns=values["ns"], path=path)
            return
        named = values.pop("device", None)
        devices = [None] if named is None else self._named(named, f"{path}.device")
        for device in devices:
            yield Do(
                verb=row.verb,
                side=row.side,
                device=device,
                arguments=MappingProxyType(self._arguments(row, values, device, path)),
                path=path,
            )

    def _arguments(
        self, row: StepRow, values: Mapping[str, Any], device: str | None, path: str
    ) -> dict[str, Any]:
        """The step's own values, held against what the scenario has."""
        cpus = (*values.get("cpus", ()), *((values["cpu"],) if "cpu" in values else ()))
        self.check_vcpu(max(cpus, default=0), path)
        found = self._devices[device] if device is not None else None
        vectors = (found.vectors if found is not None else None) or self._vcpus
        if values.get("vector", 0) >= vectors:
            raise self._tables.fail(f"{path}.vector", f"{device!r} has vectors 0 to {vectors - 1}")
        message = values.get("message")
        if message is not None and message not in MessageType.__members__:
            raise self._tables.fail(
                f"{path}.message",
                f"no message {message!r}; {hint(message, MessageType.__members__)}",
            )
        if row.verb != "relations" or found is None:
            return dict(values)
        names = [n for name in values["functions"] for n in self._named(name, f"{path}.functions")]
        for name in names:
            if self._devices[name].bus != found.bus:
                raise self._tables.fail(
                    f"{path}.functions", f"{name!r} is not on the bus of {device!r}"
                )
        if len(set(names)) != len(names):
            raise self._tables.fail(f"{path}.functions", "must name each device once")
        return {**values, "functions": tuple(names)}

    def _wait(
        self,
        raw: Mapping[str, object],
        path: str,
        waited: Counter[tuple[str, str | None]],
    ) -> Iterator[Step]:
        values = self._tables.table(raw, path, WAIT)
        event = values["wait"]
        if event not in EVENT_NAMES:
            raise self._tables.fail(
                f"{path}.wait", f"no event {event!r}; {hint(event, EVENT_NAMES)}"
            )
        named = values["device"]
        for device in [None] if named is None else self._named(named, f"{path}.device"):
            waited[event, device] = values["count"] or waited[event, device] + 1
            yield Wait(event=event, device=device, count=waited[event, device], path=path)
        if values["after_ns"]:
            yield Pause(ns=values["after_ns"], path=path)

    def _named(self, name: str, path: str) -> tuple[str, ...]:
        """The devices that a name stands for."""
        if name in self._devices:
            return (name,)
        if name in self._groups:
            return self._groups[name]
        raise self._tables.fail(
            path, f"no device {name!r}; {hint(name, {**self._groups, **self._devices})}"
        )

    # --- what can never happen ---

    def check_reachable(self, actors: Iterable[ActorSpec]) -> None:
        """Refuse steps that no order of events reaches."""
        everything = [step for actor in actors for step in actor.steps]
        verbs = {step.verb for step in everything if isinstance(step, Do)}
        offered = {
            self._devices[step.device].bus
            for step in everything
            if isinstance(step, Do) and step.verb in _OFFERS and step.device is not None
        }
        for step in everything:
            self._check_offered(step, offered)
            if isinstance(step, Do):
                self._check_required(step, verbs)
            if isinstance(step, Wait):
                self._check_caused(step, verbs)

    def _check_offered(self, step: Step, offered: set[str]) -> None:
        if isinstance(step, Pause | Moment) or step.device is None:
            return
        if self._devices[step.device].bus not in offered:
            raise self._tables.fail(
                step.path, f"can never be reached: no actor offers {step.device!r}"
            )

    def _check_required(self, step: Do, verbs: set[str]) -> None:
        required = REQUIRES.get(step.verb, step.verb)
        if required not in verbs:
            raise self._tables.fail(step.path, f"can never be reached: no actor does {required}")

    def _check_caused(self, step: Wait, verbs: set[str]) -> None:
        causes = CAUSES.get(step.event, ())
        if causes and not verbs & set(causes):
            raise self._tables.fail(
                f"{step.path}.wait",
                f"can never come true: no actor does {' or '.join(causes)}",
            )
