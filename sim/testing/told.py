# SPDX-License-Identifier: MIT
"""What happened in one world, for a test to make assertions about. Plays nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sim.testing.refused import Refused

if TYPE_CHECKING:
    from sim.messages import Message
    from sim.result import GuestError, RunResult, Verdict
    from sim.trace import Stamped
    from sim.violation import Leak
    from sim.world import World


class Run:
    """One run. What it is asked for is worked out when it is asked for.

    ``verdict`` is ``clean``, ``known`` (only open items that the scenario names showed, which are
    in ``known``) or ``violation``. ``unplayed`` is a step of the scenario that came to nothing, as
    may be in another order than the natural one. ``excused_by``: open items that account for the
    violation, but that the scenario does not name; looked for in a run that is told.
    """

    def __init__(
        self, world: World, verdict: Verdict, unplayed: str | None, *, told: bool = False
    ) -> None:
        self._world = world
        self._verdict = verdict
        self.verdict = verdict.verdict
        self.violation = verdict.violation
        self.known = verdict.known
        self.unplayed = unplayed
        looks = told and verdict.violation is not None
        self.excused_by = world.excusing() if looks else ()
        if world.driver == "kernel":
            _ = self.result  # the next guest is made in the same library

    @cached_property
    def result(self) -> RunResult:
        """All of it, as ``vpcisim run --json`` prints it."""
        from sim.summary import summarise

        return summarise(self._world, self._verdict, seed=0)

    @property
    def expected(self) -> tuple[str, ...]:
        """The open items that the scenario names."""
        return self._world.scenario.expect.known

    @property
    def protocol(self) -> str | None:
        """The version that guest and host agreed on, if they did."""
        return self.result.protocol

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every message in its order, both ways."""
        return self.result.messages

    def sent(self, name: str, channel: str | None = None) -> list[Message]:
        """The messages of that name (``PCI_EJECT``, ``OFFERCHANNEL``), on that bus if one is named.

        Raises Refused for a name that no message has.
        """
        self._check(name, message_names(), "message")
        named = [message for message in self.messages if message.name == name]
        return [one for one in named if channel in (None, one.channel)]

    @property
    def trace(self) -> tuple[Stamped, ...]:
        """Every event in its order: ``seq``, ``at_ns``, ``context``, ``event``."""
        return self.result.trace

    def events(self, name: str, device: str | None = None) -> list[Any]:
        """The events of that name in kebab case, as a scenario waits for them (``driver-bound``).

        ``device``: only those about this device, or about its whole bus. Raises Refused for a name
        that no event or no device has.
        """
        from sim.event_names import EVENT_NAMES

        self._check(name, EVENT_NAMES, "event")
        kind = EVENT_NAMES[name]
        if device is None:
            return [stamped.event for stamped in self.trace if type(stamped.event) is kind]
        self._check(device, [one.name for one in self._world.scenario.devices], "device")
        return list(self._about(kind, device))

    @property
    def errors(self) -> tuple[GuestError, ...]:
        """What the guest's functions returned that was an error: ``function``, ``errno``."""
        return self.result.errors

    @property
    def bus_state(self) -> dict[str, str]:
        """In which state the driver left each bus."""
        return self.result.final.bus_state

    @property
    def devices(self) -> tuple[dict[str, object], ...]:
        """The PCI devices that the guest has at the end."""
        return self.result.final.devices

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """What is left and should not be; all of them known, or it is a violation."""
        return self.result.final.leaks

    @property
    def log(self) -> tuple[str, ...]:
        """The guest kernel's messages."""
        return tuple(text for _, _, text in self.result.log)

    @property
    def ended_at_ns(self) -> int:
        """Simulated time at the end."""
        return self.result.ended_at_ns

    def picture(self) -> str:
        """The lanes that ``vpcisim run`` draws."""
        from sim.report.lane_rows import rows_of
        from sim.report.lanes import lines_of

        return "\n".join(lines_of(rows_of(self.trace)))

    def __repr__(self) -> str:
        return f"<run of {self._world.scenario.name}: {self.verdict}>"

    def _about(self, kind: type, device: str) -> list[Any]:
        """The events of a kind that are about the device or its whole bus."""
        from sim.watch import Watch, slot_of

        spec = self._world.scenario.device(device)
        watch = Watch((), self._world.engine)
        found = []
        for stamped in self.trace:
            event = stamped.event
            if type(event) in watch.kinds:
                watch.see(event)
            if type(event) is not kind or watch.bus_of(event) != spec.bus:
                continue
            if slot_of(event) in (None, spec.wslot):
                found.append(event)
        return found

    @staticmethod
    def _check(name: str, names: Any, what: str) -> None:
        from sim.scenario_tables import hint

        if name not in names:
            raise Refused(f"no {what} {name!r}; {hint(name, names)}")


def message_names() -> frozenset[str]:
    """Every name that a message can have."""
    from protocol.vmbus import MESSAGE_NAMES as CONTROL
    from protocol.vpci import MESSAGE_NAMES
    from sim.messages import COMPLETION

    return frozenset({*CONTROL.values(), *MESSAGE_NAMES.values(), COMPLETION})


class Violated(AssertionError):
    """The guest or the host did what it must never do. ``run`` is what happened.

    Its text names the open items of the driver that account for it, and how to expect them.
    """

    def __init__(self, run: Run) -> None:
        from sim.report.violation import report_lines

        found = run.violation
        assert found is not None, "raised for a violation only"
        told = (f"{found.kind}: {found.message}", *report_lines(found), *_excuse_lines(run))
        super().__init__("\n".join(told))
        self.run = run
        self.violation = found


def _excuse_lines(run: Run) -> Iterator[str]:
    """What to write where a test is not about these items of the driver."""
    items = run.excused_by
    if not items:
        return
    listed = json.dumps([*run.expected, *items])  # the same in Python and in TOML
    noun, verb = ("item", "accounts") if len(items) == 1 else ("items", "account")
    yield f"open {noun} {', '.join(items)} of the driver {verb} for this (vpcisim races tells more)"
    yield f'to expect it: expect={{"known": {listed}}} in a story,'
    yield f"              known = {listed} under [expect] in a scenario's file"


Violated.__module__ = "sim.testing"  # as whoever catches it writes it, and as reports name it
