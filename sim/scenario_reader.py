# SPDX-License-Identifier: MIT
"""TOML to :class:`~sim.scenario.Scenario`, by the tables of ``sim/scenario_grammar.py``.

Each mistake is one line that names file, key and remedy. Knows nothing of playing a scenario; of
other modules' names (events, knobs, device profiles, function drivers) it asks the owner.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from host.knobs import KnobError, Knobs, with_knobs
from host.profiles import PROFILES as HOST_PROFILES
from host.settings import DEFAULT_LATENCY_NS
from sim.scenario import (
    ActorSpec,
    DeviceSpec,
    ExpectSpec,
    FaultSpec,
    HostSpec,
    NeedsSpec,
    Scenario,
    ScenarioError,
    why_profile_cannot,
)
from sim.scenario_grammar import DEVICES_MAX, TABLES, Key
from sim.scenario_guest import read_guest
from sim.scenario_kinds import WINDOW_NS
from sim.scenario_steps import StepReader
from sim.scenario_tables import TableReader, hint

BUILT_IN: Final = Path(__file__).parent / "scenarios"
FILE_BYTES_MAX: Final = 1 << 20  # a scenario is read by people

_TABLE_NAMES: Final = ("guest", "host", "device", "actor", "faults", "expect", "needs")


def built_in_names() -> tuple[str, ...]:
    """The built-in scenarios, sorted."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.toml")))


def load_scenario(name_or_path: str) -> Scenario:
    """A built-in by its name, or a file by its path. Raises ScenarioError."""
    return read_scenario(find_scenario(name_or_path))


def find_scenario(name_or_path: str) -> Path:
    """Where that scenario is. Raises ScenarioError for a built-in that does not exist."""
    if "/" not in name_or_path and not name_or_path.endswith(".toml"):
        names = built_in_names()
        if name_or_path not in names:
            raise ScenarioError(
                "", f"scenario {name_or_path!r}", f"no such built-in; there are {', '.join(names)}"
            )
        return BUILT_IN / f"{name_or_path}.toml"
    return Path(name_or_path)


def read_scenario(path: Path) -> Scenario:
    """Read one file. Raises ScenarioError, whatever is wrong with it."""
    return parse_scenario(read_text(path), source=str(path), folder=path.parent)


def read_text(path: Path) -> str:
    """What stands in a scenario's file. Raises ScenarioError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ScenarioError(
            str(path), "", f"cannot be read: {error.strerror}; check the path"
        ) from None
    if len(data) > FILE_BYTES_MAX:
        raise ScenarioError(
            str(path), "", f"is larger than {FILE_BYTES_MAX} bytes; use repeat, or split it"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ScenarioError(
            str(path), "", f"is not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from None


def parse_scenario(text: str, *, source: str, folder: Path) -> Scenario:
    """Read a scenario's text; captures are named relative to ``folder``. Raises ScenarioError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(source, "", f"is not TOML: {error}; correct it there") from None
    except RecursionError:
        raise ScenarioError(
            source, "", "is nested too deeply; put fewer brackets inside each other"
        ) from None
    return _Reader(source, folder).scenario(raw)


class _Reader(TableReader):
    """Reads one file."""

    def __init__(self, source: str, folder: Path) -> None:
        super().__init__(source)
        self.folder = folder

    def scenario(self, raw: Mapping[str, object]) -> Scenario:
        top = self.table(raw, "", TABLES[""], _TABLE_NAMES)
        devices, groups = self._devices(raw)
        guest = read_guest(self, raw.get("guest", {}))
        steps = StepReader(self, devices, groups, guest.vcpus)
        expect = self.table(raw.get("expect", {}), "expect", TABLES["expect"])
        needs = self.table(raw["needs"], "needs", TABLES["needs"]) if "needs" in raw else {}
        scenario = Scenario(
            **top,
            devices=tuple(devices.values()),
            actors=tuple(self._actors(raw, steps)),
            guest=guest,
            host=self._host(raw.get("host", {})),
            faults=FaultSpec(**self.table(raw.get("faults", {}), "faults", TABLES["faults"])),
            expect=ExpectSpec(**expect),
            needs=NeedsSpec(**needs),
            source=self.source,
        )
        self._check(scenario, steps)
        return scenario

    def _host(self, raw: object) -> HostSpec:
        values = self.table(raw, "host", TABLES["host"], ("knobs", "latency_ns"))
        assert isinstance(raw, Mapping), "the table was read"
        knobs = raw.get("knobs", {})
        if not isinstance(knobs, Mapping):
            raise self.fail("host.knobs", "must be a table")
        self._knobs(values["profile"], dict(knobs))
        return HostSpec(
            **values,
            knobs=MappingProxyType(dict(knobs)),
            latency_ns=MappingProxyType(self._latencies(raw.get("latency_ns", {}))),
        )

    def _latencies(self, raw: object) -> dict[str, Any]:
        keys = [Key(name, WINDOW_NS, window, "") for name, window in DEFAULT_LATENCY_NS.items()]
        values = self.table(raw, "host.latency_ns", keys)
        assert isinstance(raw, Mapping), "the table was read"
        return {name: values[name] for name in raw}

    def _knobs(self, profile: str, knobs: dict[str, object]) -> None:
        """Ask the host's own table; its message names the knob."""
        known = Knobs.__struct_fields__
        for name in knobs:
            if name not in known:
                raise self.fail(f"host.knobs.{name}", f"unknown knob; {hint(name, known)}")
            try:
                with_knobs(HOST_PROFILES[profile].knobs, {name: knobs[name]})
            except KnobError as error:
                raise self.fail(f"host.knobs.{name}", error.remedy) from None

    def _devices(
        self, raw: Mapping[str, object]
    ) -> tuple[dict[str, DeviceSpec], dict[str, tuple[str, ...]]]:
        """The devices, and the names that each counted one stands for."""
        found: dict[str, DeviceSpec] = {}
        groups: dict[str, tuple[str, ...]] = {}
        for path, table in self.array(raw, "device", ""):
            values = self.table(table, path, TABLES["device"])
            name, count = values["name"], values["count"]
            if len(found) + count > DEVICES_MAX:
                raise self.fail(f"{path}.count", f"at most {DEVICES_MAX} devices fit into one VM")
            names = (name,) if count == 1 else tuple(f"{name}{n}" for n in range(count))
            for one in names:
                if one in found or one in groups:
                    raise self.fail(
                        f"{path}.name", f"the device {one!r} is named twice; rename one"
                    )
                found[one] = self._device(path, values, one, len(found) + 1)
            groups[name] = names
        self._check_buses(found)
        return found, groups

    def _device(self, path: str, values: Mapping[str, Any], name: str, serial: int) -> DeviceSpec:
        profile, capture = values["profile"], values["capture"]
        if (profile is None) == (capture is None):
            raise self.fail(path, f"device {name!r} needs either a profile or a capture")
        if profile is not None:
            self._known_profile(f"{path}.profile", profile)
        if values["bus"] is not None and values["count"] > 1:
            raise self.fail(f"{path}.bus", "a counted device has buses of its own; drop one key")
        if values["driver"] not in ("auto", "none"):
            self._known_driver(f"{path}.driver", values["driver"])
        return DeviceSpec(
            name=name,
            bus=values["bus"] or name,
            wslot=values["slot"] | values["function"] << 5,
            serial=serial,
            profile=profile,
            capture=None if capture is None else self.folder / capture,
            vectors=values["vectors"],
            driver=values["driver"],
            rounds=values["rounds"],
            remove_ms=values["remove_ms"],
            present=values["present"],
            numa_node=values["numa_node"],
            path=path,
        )

    def _known_profile(self, path: str, name: str) -> None:
        from host.devices import PROFILES  # registers of every profile: only when one is named

        if name not in PROFILES:
            raise self.fail(path, f"no device profile {name!r}; {hint(name, PROFILES)}")

    def _known_driver(self, path: str, name: str) -> None:
        from guest.drivers.registry import DRIVERS  # likewise

        if name not in DRIVERS:
            raise self.fail(path, f"no function driver {name!r}; {hint(name, DRIVERS)}")

    def _check_buses(self, found: Mapping[str, DeviceSpec]) -> None:
        places: dict[tuple[str, int], str] = {}
        for index, device in enumerate(found.values()):
            path = f"device[{index}]"
            owner = found.get(device.bus)
            if owner is None:
                raise self.fail(f"{path}.bus", f"no device {device.bus!r} whose bus it could share")
            if owner.bus != owner.name:
                raise self.fail(
                    f"{path}.bus", f"{device.bus!r} has no bus of its own; name {owner.bus!r}"
                )
            other = places.setdefault((device.bus, device.wslot), device.name)
            if other != device.name:
                raise self.fail(
                    f"{path}.slot", f"{other!r} is there already; give another slot or function"
                )

    def _actors(self, raw: Mapping[str, object], steps: StepReader) -> Iterable[ActorSpec]:
        names: set[str] = set()
        for path, table in self.array(raw, "actor", ""):
            values = self.table(table, path, TABLES["actor"], ("steps",))
            if values["name"] in names:
                told = f"the actor {values['name']!r} is named twice; rename one"
                raise self.fail(f"{path}.name", told)
            names.add(values["name"])
            assert isinstance(table, Mapping), "the table was read"
            vcpu = -1 if values["vcpu"] is None else values["vcpu"]
            steps.check_vcpu(vcpu, f"{path}.vcpu")
            yield ActorSpec(name=values["name"], vcpu=vcpu, steps=steps.steps_of(table, path))

    def _check(self, scenario: Scenario, steps: StepReader) -> None:
        """What only the whole can tell: waits that nothing causes, hosts that cannot play it."""
        steps.check_reachable(scenario.actors)
        if scenario.guest.arch == "arm64":
            self._check_arm64(scenario)
        reason = why_profile_cannot(scenario, scenario.host.profile)
        if reason:
            raise self.fail("host.profile", f"{reason}; take another profile or drop the step")
        if scenario.host.profile not in scenario.needs.profile:
            raise self.fail("needs.profile", f"must hold {scenario.host.profile!r}")

    def _check_arm64(self, scenario: Scenario) -> None:
        """The real driver is compiled for x86; its hypercalls for configuration space are, too."""
        if "kernel" in scenario.drivers:
            raise self.fail("drivers", 'the real driver cannot play arm64; write ["model"]')
        if scenario.guest.isolation != "none":
            raise self.fail("guest.isolation", "must be 'none' on arm64")
