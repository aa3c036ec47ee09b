# SPDX-License-Identifier: MIT
"""Makes a scenario smaller as long as it still fails: fewer actors, devices, steps, vectors, CPUs.

Works on the raw tables of the file, so that what it makes is a file again. Whether a smaller one
can be read, played, and fails as before is for whoever asks to say; nothing here runs anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, TypeAlias

from sim.scenario_text import scenario_text

Raw: TypeAlias = dict[str, Any]
Steps: TypeAlias = list[dict[str, Any]]

# Settings that have a default: table and key.
_OPTIONAL: Final = (
    ("guest", "isolation"),
    ("guest", "numa_nodes"),
    ("guest", "numa"),
    ("guest", "offline_nodes"),
    ("guest", "vp_numbers"),
    ("host", "pcpus"),
)


def reduced(text: str, fails: Callable[[str], bool]) -> str:
    """The smallest scenario found that ``fails``, as TOML; ``text`` itself if none was.

    ``fails`` may say False because it was asked too often.
    """
    best = tomllib.loads(text)
    changed = False
    while (smaller := _smaller(best, fails)) is not None:
        best, changed = smaller, True
    return scenario_text(best) if changed else text


def _smaller(raw: Raw, fails: Callable[[str], bool]) -> Raw | None:
    """What one round of every reduction leaves, or None if nothing could go."""
    before = raw
    for reduction in REDUCTIONS:
        while (found := next(_failing(reduction(raw), fails), None)) is not None:
            raw = found
    return None if raw is before else raw


def _failing(candidates: Iterator[Raw], fails: Callable[[str], bool]) -> Iterator[Raw]:
    return (candidate for candidate in candidates if fails(scenario_text(candidate)))


# --- reductions: each yields scenarios that are smaller in one respect, the smallest first ---


def _fewer_actors(raw: Raw) -> Iterator[Raw]:
    for at in range(len(raw["actor"])):
        smaller = deepcopy(raw)
        del smaller["actor"][at]
        yield smaller


def _fewer_devices(raw: Raw) -> Iterator[Raw]:
    for at, device in enumerate(raw["device"]):
        smaller = deepcopy(raw)
        del smaller["device"][at]
        for actor in smaller["actor"]:
            actor["steps"] = _without_device(actor["steps"], device["name"])
        smaller["actor"] = [actor for actor in smaller["actor"] if actor["steps"]]
        yield smaller


def _without_device(steps: Steps, name: str) -> Steps:
    """The steps that do not name the device; in lists of functions it is left out."""
    kept = []
    for step in steps:
        if "steps" in step:
            step = {**step, "steps": _without_device(step["steps"], name)}
        if "functions" in step:
            step = {**step, "functions": [one for one in step["functions"] if one != name]}
        if step.get("device") != name and step.get("steps") != []:
            kept.append(step)
    return kept


def _fewer_steps(raw: Raw) -> Iterator[Raw]:
    for smaller, steps, at in _each_step(raw):
        if len(steps) > 1:
            del steps[at]
            yield smaller


def _fewer_times(raw: Raw) -> Iterator[Raw]:
    """Smaller counts: of devices, repeats and what a step does so often."""
    for at, device in enumerate(raw["device"]):
        for count in _below(device.get("count", 1)):
            smaller = deepcopy(raw)
            smaller["device"][at]["count"] = count
            if count == 1:
                _call_by_its_name(smaller, device["name"])
            yield smaller
    for key in ("repeat", "count"):
        yield from _fewer_in_steps(raw, key)


def _call_by_its_name(raw: Raw, name: str) -> None:
    """The first of several, who is left alone, has no number any more."""
    for path in _paths(raw):
        step = _steps_at(raw, path)[path[-1]]
        if step.get("device") == f"{name}0":
            step["device"] = name
        if "functions" in step:
            step["functions"] = [name if f == f"{name}0" else f for f in step["functions"]]


def _fewer_in_steps(raw: Raw, key: str) -> Iterator[Raw]:
    for where, (_, steps, at) in enumerate(_each_step(raw)):
        for count in _below(steps[at].get(key, 1)):
            smaller, inner, place = list(_each_step(raw))[where]
            inner[place][key] = count
            yield smaller


def _fewer_vectors(raw: Raw) -> Iterator[Raw]:
    """One vector, or half of them; a device that says nothing has one for each CPU."""
    for at, device in enumerate(raw["device"]):
        for vectors in _below(device.get("vectors", raw.get("guest", {}).get("vcpus", 2))):
            smaller = deepcopy(raw)
            smaller["device"][at]["vectors"] = vectors
            yield smaller


def _fewer_cpus(raw: Raw) -> Iterator[Raw]:
    for vcpus in _below(raw.get("guest", {}).get("vcpus", 2)):
        smaller = deepcopy(raw)
        smaller.setdefault("guest", {})["vcpus"] = vcpus
        yield smaller


def _fewer_settings(raw: Raw) -> Iterator[Raw]:
    """Without one knob, one latency, one setting that has a default."""
    for table in ("knobs", "latency_ns"):
        for name in raw.get("host", {}).get(table, {}):
            smaller = deepcopy(raw)
            del smaller["host"][table][name]
            yield smaller
    for name, key in _OPTIONAL:
        if key in raw.get(name, {}):
            smaller = deepcopy(raw)
            del smaller[name][key]
            yield smaller


# The most telling first: who acts, on what, how; then the machine.
REDUCTIONS: Final[tuple[Callable[[Raw], Iterator[Raw]], ...]] = (
    _fewer_actors,
    _fewer_devices,
    _fewer_times,
    _fewer_steps,
    _fewer_vectors,
    _fewer_cpus,
    _fewer_settings,
)


def _each_step(raw: Raw) -> Iterator[tuple[Raw, Steps, int]]:
    """Every step, also inside repeats: a copy of the scenario, the step's list in it, its index."""
    for path in _paths(raw):
        copy = deepcopy(raw)
        yield copy, _steps_at(copy, path), path[-1]


def _steps_at(raw: Raw, path: tuple[int, ...]) -> Steps:
    """The list of steps in which the path ends."""
    steps: Steps = raw["actor"]
    for at in path[:-1]:
        steps = steps[at]["steps"]
    return steps


def _paths(raw: Mapping[str, Any]) -> Iterator[tuple[int, ...]]:
    """Indices that lead to each step; the last step first, since the end is lost most easily."""
    for actor, table in enumerate(raw["actor"]):
        yield from ((actor, *path) for path in _paths_in(table["steps"]))


def _paths_in(steps: Steps) -> Iterator[tuple[int, ...]]:
    for at in reversed(range(len(steps))):
        yield (at,)
        yield from ((at, *path) for path in _paths_in(steps[at].get("steps", [])))


def _below(count: int) -> tuple[int, ...]:
    """Smaller numbers worth a try: one, the half, one less."""
    return tuple(sorted({1, count // 2, count - 1} - {0})) if count > 1 else ()
