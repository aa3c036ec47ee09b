# SPDX-License-Identifier: MIT
"""A world: one guest, one host and the actors of a scenario, played to the end and judged.

The only place where guest and host meet. ``play()`` is one run; who wants many runs makes many
worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from guest.defects.record import Defect, mixins_by_part
from guest.kernel.context import Context
from guest.kernel.faults import GuestFault
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.parts import with_mixins
from guest.reference import ReferenceGuest
from guest.shell import Shell
from host.devices.profile import DeviceProfile
from host.partition import Partition
from protocol.errors import ProtocolError
from protocol.ids import Vector, VpIndex
from protocol.link import BarRead, BarWritten, ConfigRead, ConfigWritten, HypercallMade
from sim.actors import Actor, NeverHappened, Stage
from sim.bounds import Stuck
from sim.choices import Chooser
from sim.collector import seldom
from sim.configs import guest_config, partition_config, profile_of
from sim.engine import Engine
from sim.fault_events import FaultInjected
from sim.faults import FaultBudget, any_fault
from sim.fingerprint import fingerprint
from sim.oracles.ending import judge_ending
from sim.oracles.judge import END, Judgement, judge
from sim.oracles.known import recognise
from sim.oracles.law import LawFactory
from sim.oracles.laws import LAWS
from sim.oracles.leaks import census, judge_leaks
from sim.oracles.signatures import SIGNATURES
from sim.oracles.stuck import judge_stuck, judge_waiting
from sim.recorder import Reading, Recorder, judge_fault
from sim.result import RunResult, Verdict
from sim.scenario import DeviceSpec, Scenario, Wait
from sim.scenario_options import with_needs
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


class _Door:
    """The guest as the host reaches it: made before the guest is, and opened once it exists."""

    __slots__ = ("deliver_vector", "synic_event", "synic_message")

    def open(self, guest: ReferenceGuest) -> None:
        """From here on what the host delivers goes straight to the guest."""
        self.deliver_vector: Callable[[VpIndex, Vector], None] = guest.deliver_vector
        self.synic_event: Callable[[VpIndex, int], None] = guest.vmbus.synic_event
        self.synic_message: Callable[[VpIndex, bytes], None] = guest.vmbus.synic_message


def _awaited(scenario: Scenario) -> Iterator[str]:
    """The events that actors wait for."""
    steps = (step for actor in scenario.actors for step in actor.steps)
    return (step.event for step in steps if isinstance(step, Wait))


class World:
    """Everything of one run. ``chooser`` None is natural order.

    ``defects`` are historical bugs that the guest gets back; the host, the faults and the versions
    that they need are the scenario's from then on. ``fine`` switches on the points that multiply
    without telling anything. With ``stacks`` a violation says where the object it is about was
    allocated and freed, or where the event that broke a law happened. ``laws`` judge the run once
    it is over.
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
    ) -> None:
        self.scenario = scenario = with_needs(scenario, defects)
        self._laws = laws
        self._natural = chooser is None
        self._happened: list[Happened] = []
        self.engine = Engine(chooser, lates=lates)
        self.watch = Watch(_awaited(scenario), self.engine)
        self._recorder = Recorder(self._whose) if stacks else None
        emit = emitter(self.engine, self._happened, self.watch)
        if self._recorder is not None:
            emit = self._recorder.watching(emit)
        faults = self._faults(emit)
        memory = PhysicalMemory()
        door = _Door()
        self.partition = Partition(
            partition_config(scenario, load or profile_of),
            self.engine,
            door,
            memory,
            emit,
            None if faults is None or faults.host_is_reliable else faults,
        )
        self.guest = ReferenceGuest(
            guest_config(scenario),
            port=self.partition,
            scheduler=self.engine,
            emit=emit,
            memory=memory,
            parts=with_mixins(mixins_by_part(defects)),
        )
        door.open(self.guest)
        self._settle(self.guest.kernel, faults, fine=fine)
        self._shell = Shell(self.guest)
        self.actors = self._cast()

    def _settle(self, kernel: Kernel, faults: FaultBudget | None, *, fine: bool) -> None:
        """Have the guest's kernel run, watched and failing as was asked for."""
        kernel.fine = fine
        if self._recorder is not None:
            kernel.heap = self._recorder.heap
        if faults is not None:
            faults.install(kernel)
        self.engine.attach(kernel)

    def _cast(self) -> list[Actor]:
        """The scenario's actors, on one stage."""
        stage = Stage(
            {device.name: device for device in self.scenario.devices},
            self.engine,
            self.watch,
            self.partition,
            self.guest,
            self._shell,
        )
        return [Actor(stage, spec) for spec in self.scenario.actors]

    def _faults(self, emit: Callable[[Any], None]) -> FaultBudget | None:
        """What may go wrong; None where nobody chooses or nothing may."""
        if self._natural or not any_fault(self.scenario.faults):
            return None
        return FaultBudget(self.scenario.faults, self.engine.ask, emit)

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
        """Play to the end and judge.

        Raises :class:`UnplayedStep` for a step that came to nothing, if nothing else was found: a
        wait whose event never came; in natural order, what the host could not do.
        """
        violation = self._play()
        laws = self._judge_laws(whole=violation is None)
        violation = violation or laws.violation
        items = recognise(self.scenario.expect.known, self._happened, SIGNATURES)
        known = items.explaining(violation) if violation else set()
        if known:  # which ended the run early, so that nothing else follows from its end
            return Verdict("known", None, tuple(sorted(known)), ())
        leaks = () if violation else items.excuse(self._leaks())
        violation = violation or self._judge_leaks(leaks)
        if violation is None:
            self._check_actors()
            violation = judge_ending(self.scenario, self._happened_events(), self.engine.now_ns())
        known = {*laws.known, *items.showing(), *(leak.known for leak in leaks if leak.known)}
        verdict = "violation" if violation else "known" if known else "clean"
        return Verdict(verdict, violation, tuple(sorted(known)), leaks)

    def _judge_laws(self, *, whole: bool) -> Judgement:
        """What the laws say; a run that a fault ended is no whole one."""
        reading = self._happened if self._recorder is None else Reading(self._happened)
        judgement = judge(
            reading,
            self.engine.now_ns() if whole else None,
            laws=self._laws,
            may_show=self.scenario.expect.known,
        )
        violation = judgement.violation
        if violation is None or self._recorder is None or violation.context == END:
            return judgement
        assert isinstance(reading, Reading), "what is recorded is read so"
        told = self._recorder.with_event(violation, reading.index)
        return judgement._replace(violation=told)

    def _judge_leaks(self, leaks: tuple[Leak, ...]) -> Violation | None:
        violation = judge_leaks(leaks, self.engine.now_ns())
        if violation is None or self._recorder is None:
            return violation
        return self._recorder.with_leaks(violation, leaks)

    def _happened_events(self) -> Iterator[object]:
        return (event for _, _, event in self._happened)

    def _leaks(self) -> tuple[Leak, ...]:
        keepers = self._shell.open_files()
        return census(
            self.guest,
            keepers=keepers,
            held_relids=self.partition.server.held_relids(),
        )

    def _play(self) -> Violation | None:
        """The violation that ended the run, or that its end shows."""
        self.guest.boot()
        for actor in self.actors:
            self.engine.start(actor.context)
        try:
            with seldom():
                self.engine.run()
            violation = judge_waiting(self.engine.waiting(), self.engine.now_ns())
        except GuestFault as fault:
            return self._violation(fault.kind, "the kernel's own rules", fault)
        except ProtocolError as error:
            return self._violation("protocol", "the protocol", error)
        except Stuck as stuck:
            violation = judge_stuck(
                str(stuck), stuck.context, self.engine.waiting(), self.engine.now_ns()
            )
        self.engine.abandon()
        return violation

    def _violation(self, kind: str, law: str, error: Exception) -> Violation:
        return judge_fault(error, kind=kind, law=law, whose=self._whose(), recorder=self._recorder)

    def _whose(self) -> tuple[str, int]:
        """Who is running, and what time it is."""
        current = self.engine.current
        return current.label if current else "host", self.engine.now_ns()

    def _faulty(self) -> bool:
        return any(isinstance(event, FaultInjected) for event in self._happened_events())

    def _check_actors(self) -> None:
        """A wait that never came true is a mistake of the scenario, as is a step out of turn.

        Not so after a fault: what was to come of it may well not come.
        """
        for actor in self.actors:
            if actor.refused is not None and self._natural:
                raise actor.refused
            if isinstance(actor.at, Wait) and not self._faulty():
                raise NeverHappened(actor.at.path, actor.at.event)


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
