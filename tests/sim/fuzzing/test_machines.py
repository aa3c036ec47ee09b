# SPDX-License-Identifier: MIT
"""Sequences that know where they are: hypothesis chooses what comes next, and makes it short."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.vsp import Phase
from protocol.vmbus import VM_PKT_COMP
from sim.fuzzing import guest_steps, host_steps
from sim.fuzzing.dice import BytesDice
from sim.fuzzing.guest_life import SLOTS, GuestLife, OpenItemShown
from sim.fuzzing.host_laws import HAS_CHANNEL, complaints
from sim.fuzzing.host_life import WANTS_COMPLETION, HostLife
from sim.fuzzing.host_settings import SETTINGS
from sim.fuzzing.packets import RawPacket, answers, from_a_guest, from_a_host

EXAMPLES = 40
STEPS = 40
numbers = st.binary(min_size=24, max_size=24)
settled = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class HostMachine(RuleBasedStateMachine):
    """A guest by hand: the right way forward, right packets at any time, and wrong ones."""

    life: HostLife

    @initialize(setting=st.sampled_from(range(len(SETTINGS))), how_far=st.integers(0, 7))
    def begin(self, setting: int, how_far: int) -> None:
        self.life = HostLife(BytesDice(bytes([setting, 0, how_far, 0])))
        self.life.start()
        self.life.go_on()

    def roll(self, data: bytes) -> HostLife:
        self.life.dice = BytesDice(data)
        return self.life

    @rule(number=st.integers(0, 200), wants=st.booleans())
    def right_packet(self, number: int, wants: bool) -> None:
        pool = from_a_guest(self.life.setting.slots)
        flags = WANTS_COMPLETION if wants else 0
        payload = pool[number % len(pool)]
        self.life.write(RawPacket(payload, transaction_id=self.life.next_id(), flags=flags))

    @rule(data=numbers)
    def wrong_packet(self, data: bytes) -> None:
        host_steps.send(self.roll(data))

    @rule(data=numbers)
    def control_message(self, data: bytes) -> None:
        host_steps.post(self.roll(data))

    @rule(verb=st.integers(0, len(host_steps.VERBS) - 1))
    def administrator(self, verb: int) -> None:
        host_steps.administer(self.roll(bytes([verb, 0])))

    @precondition(lambda self: self.life.bus.state.phase in HAS_CHANNEL)
    @rule()
    def reopen(self) -> None:
        self.life.reopen()

    @precondition(lambda self: self.life.bus.state.phase in {Phase.CLOSED, Phase.GONE})
    @rule()
    def start(self) -> None:
        self.life.start()

    @rule()
    def wait(self) -> None:
        host_steps.wait(self.life)

    @invariant()
    def lawful(self) -> None:
        if hasattr(self, "life"):
            life = self.life
            assert not complaints(life.setting.profile, life.guest.partition, life.bus)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.end()


class GuestMachine(RuleBasedStateMachine):
    """A host's ring in strange hands: right messages at any time, wrong ones, and work."""

    life: GuestLife
    over = False

    @initialize(data=numbers)
    def begin(self, data: bytes) -> None:
        self.begin_anew(data)

    def begin_anew(self, data: bytes) -> None:
        self.life = GuestLife(BytesDice(data))
        self.attempt(self.life.begin)

    def attempt(self, step: object, *arguments: object) -> None:
        """Do it, unless an open item of the driver has ended the life."""
        assert callable(step)
        try:
            step(*arguments)
        except OpenItemShown:
            self.over = True

    def roll(self, data: bytes) -> GuestLife:
        self.life.dice = BytesDice(data)
        return self.life

    @precondition(lambda self: not self.over)
    @rule(number=st.integers(0, 20))
    def right_message(self, number: int) -> None:
        pool = from_a_host(SLOTS)
        self.attempt(self.life.write, RawPacket(pool[number % len(pool)]))

    @precondition(lambda self: not self.over)
    @rule(number=st.integers(0, 20), ago=st.integers(0, 2))
    def right_answer(self, number: int, ago: int) -> None:
        pool = answers()
        packet = RawPacket(pool[number % len(pool)], VM_PKT_COMP, max(0, self.life.last_id - ago))
        self.attempt(self.life.write, packet)

    @precondition(lambda self: not self.over)
    @rule(data=numbers)
    def wrong_packet(self, data: bytes) -> None:
        self.attempt(guest_steps.send, self.roll(data))

    @precondition(lambda self: not self.over)
    @rule(data=numbers)
    def control_message(self, data: bytes) -> None:
        self.attempt(guest_steps.control, self.roll(data))

    @precondition(lambda self: not self.over)
    @rule(data=numbers)
    def work(self, data: bytes) -> None:
        self.attempt(guest_steps.work, self.roll(data))

    @precondition(lambda self: not self.over)
    @rule(data=numbers)
    def come_and_go(self, data: bytes) -> None:
        self.attempt(guest_steps.administer, self.roll(data))

    @precondition(lambda self: self.over)
    @rule(data=numbers)
    def another_life(self, data: bytes) -> None:
        self.over = False
        self.begin_anew(data)

    def teardown(self) -> None:
        if hasattr(self, "life") and not self.over:
            self.attempt(self.life.leave)


TestHost = HostMachine.TestCase
TestHost.settings = settled
TestGuest = GuestMachine.TestCase
TestGuest.settings = settled
