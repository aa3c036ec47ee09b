# SPDX-License-Identifier: MIT
"""A world: one guest, one host and the actors of a scenario, put together and played to the end.

The only place where guest and host meet. ``play()`` is one run; who wants many runs makes many
worlds. What a run is worth is for ``sim/judging.py`` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from guest.defects.record import Defect
from guest.kernel.context import Context
from guest.kernel.faults import GuestFault
from guest.kernel.pages import PhysicalMemory
from guest.reference import GuestConfig, ReferenceGuest
from guest.wiring import Wiring
from host.devices.profile import DeviceProfile
from host.partition import Partition
from protocol.errors import ProtocolError
from protocol.link import BarRead, BarWritten, ConfigRead, ConfigWritten, HypercallMade
from sim.actors import Actor
from sim.bounds import Stuck
from sim.choices import Chooser
from sim.collector import seldom
from sim.configs import guest_config, partition_config, profile_of
from sim.engine import Engine
from sim.excusing import excusing
from sim.faults import FaultBudget, any_fault
from sim.fingerprint import fingerprint
from sim.guests import Guest, Guests, ReferenceGuests
from sim.judging import Ended, judge_error, judge_run, judge_standstill
from sim.machine import Machine
from sim.oracles.law import LawFactory
from sim.oracles.laws import LAWS
from sim.oracles.leaks import census
from sim.recorder import Recorder
from sim.result import RunResult, Verdict
from sim.scenario import DeviceSpec, Scenario, Wait
from sim.scenario_options import with_needs
from sim.steps import Stage
from sim.summary import summarise
from sim.trace import Stamped
from sim.violation import Leak, Violation
from sim.watch import Watch

# What a loop that waits for something does again and again: no sign of progress.
POLLING = frozenset({ConfigRead, ConfigWritten, BarRead, BarWritten, HypercallMade})

Happened = tuple[int, Context | None, Any]  # when, who was running, the event


def emitter(engine: Engine, happened: list[Happened], watch: Watch) -> Callable[[Any], None]:
    """What both sides call when something has happened: keep it, and tell whoever waits.

    A closure, since it is called some 300 times in a device's life.
    """
    keep = happened.append
    watched = watch.kinds

    def emit(event: Any) -> None:
        now_ns = engine.time_ns
        keep((now_ns, engine.current, event))
        kind = type(event)
        if kind not in POLLING:
            engine.progress_step = engine.steps
        if kind in watched:
            watch.see(event)

    return emit


def _awaited(scenario: Scenario) -> Iterator[str]:
    """The events that actors wait for."""
    steps = (step for actor in scenario.actors for step in actor.steps)
    return (step.event for step in steps if isinstance(step, Wait))


class World:
    """Everything of one run. ``chooser`` None is natural order.

    ``guests`` makes the guest, None: the reference model with ``defects``, historical bugs that it
    gets back; the host, the faults and the versions
    that they need are the scenario's from then on. ``fine`` switches on the points that multiply
    without telling anything. With ``stacks`` a violation says where the object it is about was
    allocated and freed, or where the event that broke a law happened. ``laws`` judge the run once
    it is over. ``engine`` runs it, None: one that only plays; it has the chooser and the lates.
    ``look`` is called behind each event, for what no event tells.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        chooser: Chooser | None = None,
        load: Callable[[DeviceSpec], DeviceProfile] | None = None,
        defects: Sequence[Defect] = (),
        fine: bool = False,
        lates: int = 2,
        stacks: bool = False,
        laws: Sequence[LawFactory] = LAWS,
        guests: Guests | None = None,
        engine: Engine | None = None,
        look: Callable[[World, Any], None] | None = None,
    ) -> None:
        self._guests = guests or ReferenceGuests(defects)
        self.scenario = scenario = self._guests.playable(with_needs(scenario, defects))
        self._laws = laws
        self._natural = chooser is None
        self._happened: list[Happened] = []
        self._ended: Ended | None = None
        self.engine = engine or Engine(chooser, lates=lates)
        self.watch = Watch(_awaited(scenario), self.engine)
        self._recorder = Recorder(self._whose) if stacks else None
        emit = emitter(self.engine, self._happened, self.watch)
        if self._recorder is not None:
            emit = self._recorder.watching(emit)
        if look is not None:
            emit = self._looked_at(emit, look)
        self._emit = emit
        self.faults = self._fault_budget(emit)
        self._fine = fine
        self.machine = Machine(
            guest_config(scenario), self.engine, self._guests.memory(), self._guest
        )
        faults = self.faults
        self.partition = Partition(
            partition_config(scenario, load or profile_of),
            self.engine,
            self.machine.door,
            self.machine.memory,
            emit,
            None if faults is None or faults.host_is_reliable else faults,
        )
        self.machine.load()
        self.actors = self._cast()

    def _looked_at(
        self, emit: Callable[[Any], None], look: Callable[[World, Any], None]
    ) -> Callable[[Any], None]:
        """``emit``, and a look behind it."""

        def emit_and_look(event: Any) -> None:
            emit(event)
            look(self, event)

        return emit_and_look

    @property
    def driver(self) -> str:
        """Which kind of guest it has: ``model`` or ``kernel``."""
        return self._guests.driver

    @property
    def guest(self) -> ReferenceGuest:
        """The reference guest that was booted last, for who looks inside it."""
        guest = self.machine.guest
        assert isinstance(guest, ReferenceGuest), "nobody sees the inside of the real driver"
        return guest

    def _guest(self, config: GuestConfig, memory: PhysicalMemory, number: int) -> Guest:
        """A guest whose kernel runs watched, and fails as was asked for."""
        wiring = Wiring(self.partition, self.engine, self._emit, memory)
        guest = self._guests.guest(config, wiring, number)
        kernel = guest.kernel
        kernel.fine = self._fine
        if self._recorder is not None:
            kernel.heap = self._recorder.new_heap()
        if self.faults is not None:
            self.faults.install(kernel)
        return guest

    def _cast(self) -> list[Actor]:
        """The scenario's actors, on one stage."""
        stage = Stage(
            {device.name: device for device in self.scenario.devices},
            self.engine,
            self.watch,
            self.partition,
            self.machine,
            None if self._natural else self.engine.ask,
        )
        return [Actor(stage, spec) for spec in self.scenario.actors]

    def _fault_budget(self, emit: Callable[[Any], None]) -> FaultBudget | None:
        """What may go wrong; None where nobody chooses or nothing may."""
        if self._natural or not any_fault(self.scenario.faults):
            return None
        return FaultBudget(self.scenario.faults, self.engine.ask, emit)

    @property
    def happened(self) -> list[Happened]:
        """What has happened so far; for others to read."""
        return self._happened

    @property
    def fingerprint(self) -> int:
        """One number for who did what so far, in order; equal in every process."""
        return fingerprint(self._happened)

    def trace(self) -> tuple[Stamped, ...]:
        """What has happened so far, stamped."""
        labels = {context: context.label for _, context, _ in self._happened if context}
        return tuple(
            Stamped(seq, at_ns, labels[context] if context else "host", event)
            for seq, (at_ns, context, event) in enumerate(self._happened)
        )

    def run(self) -> Verdict:
        """Play to the end and judge. Raises :class:`UnplayedStep` as ``judge_run`` does."""
        with seldom():
            self._ended = Ended(
                scenario=self.scenario,
                happened=self._happened,
                violation=self._play(),
                at_ns=self.engine.now_ns(),
                actors=self.actors,
                census=self._census,
                natural=self._natural,
                recorder=self._recorder,
            )
            return judge_run(self._ended, self._laws)

    def excusing(self) -> tuple[str, ...]:
        """The open items that account for the violation in which it has ended: see that module."""
        assert self._ended is not None, "it has been played"
        return excusing(self._ended, self._laws)

    def _play(self) -> Violation | None:
        """The violation that ended the run, or that its end shows."""
        self.machine.guest.boot()
        for actor in self.actors:
            self.engine.start(actor.context)
        try:
            self.engine.run()
            violation = judge_standstill(self.engine)
        except (GuestFault, ProtocolError, Stuck) as error:
            violation = judge_error(error, self.engine, self._whose(), self._recorder)
        self.engine.abandon()
        return violation

    def _census(self) -> tuple[Leak, ...]:
        shell = self.machine.shell
        if shell is None:
            return ()  # of a dead kernel nothing is missed
        return census(
            self.machine.guest,
            keepers=shell.open_files(),
            held_relids=self.partition.server.held_relids(),
        )

    def _whose(self) -> tuple[str, int]:
        """Who is running, and what time it is."""
        current = self.engine.current
        return current.label if current else "host", self.engine.now_ns()


def play(
    scenario: Scenario,
    *,
    seed: int = 0,
    chooser: Chooser | None = None,
    load: Callable[[DeviceSpec], DeviceProfile] | None = None,
    laws: Sequence[LawFactory] = LAWS,
) -> RunResult:
    """One run, judged and told. Raises :class:`UnplayedStep` as :meth:`World.run` does."""
    world = World(scenario, chooser=chooser, load=load, laws=laws)
    return summarise(world, world.run(), seed)
