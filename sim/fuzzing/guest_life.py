# SPDX-License-Identifier: MIT
"""One life of the reference guest opposite a host whose ring somebody else writes into.

The dice choose the device, the version, whether the probe is left in peace, and every packet. What
ends a life early is a fault that is an open item of the real driver, by its signature in the trace;
any other breaks it. What is done besides sending packets is in ``guest_steps``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from guest.defects.open_items import OPEN_ITEMS
from guest.events import PacketDropped, RequestCompleted
from guest.kernel.faults import GuestFault
from guest.kernel.kernel import LOG_LINES_MAX
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.ids import RelId, SlotNumber
from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND
from sim.bounds import Stuck
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.guest_answers import answered, loses_step, refusal
from sim.fuzzing.guest_end import GuestEnd
from sim.fuzzing.guest_laws import guest_complaints
from sim.fuzzing.mutations import mutate
from sim.fuzzing.packets import RawPacket, answer, answers, from_a_host
from sim.fuzzing.telling import Trail
from sim.judging import judge_error, judge_standstill
from sim.oracles.known import recognise
from sim.oracles.signatures import SIGNATURES
from sim.scenario import Scenario
from sim.scenario_grammar import PROTOCOLS
from sim.scenario_options import with_options
from sim.scenario_reader import load_scenario
from sim.violation import Violation

SLOTS: Final = (SlotNumber(0), SlotNumber(1))
ONE_IN: Final = 4  # requests that are answered by somebody else, in a probe that is not in peace
LOSES_STEP_IN: Final = 24  # packets whose lengths lie end nearly every life (open item O38)
ANSWERS_IN: Final = 2  # of the packets that lie in the ring, those that answer something


class Setting(NamedTuple):
    """What is played: a built-in's machine, without its actors."""

    scenario: str
    version: str
    profile: str


SETTINGS: Final = tuple(
    Setting(scenario, version, profile)
    for scenario, profile in (
        ("arrival", "hyperv"),
        ("config-blocks", "hyperv"),
        ("multi-msi", "hyperv"),
        ("arrival", "openvmm"),
    )
    for version in PROTOCOLS
    if (profile, version) != ("openvmm", "1.1")
)


@lru_cache(maxsize=len(SETTINGS))
def _scenario(setting: Setting) -> Scenario:
    scenario = load_scenario(setting.scenario)
    return with_options(scenario, protocol=setting.version, profile=setting.profile, device=None)


class OpenItemShown(Exception):
    """The guest has come to an end that the real driver would come to as well: ``items``."""

    def __init__(self, items: Sequence[str]) -> None:
        super().__init__(", ".join(items))
        self.items = items


class GuestLife:
    """A guest and its host, up to where the dice leave them alone.

    Every method that lets the guest run raises Broken for what is not as it must be, and
    OpenItemShown where the life is over for a reason that has a name.
    """

    def __init__(self, dice: Dice, recorded: Sequence[bytes] = ()) -> None:
        self.trail = Trail()
        self.dice = dice
        self.setting = pick(dice, SETTINGS)
        self.answers = (*answers(), *recorded)
        self.pool = (*from_a_host(SLOTS), *self.answers)
        self.in_peace = bool(dice.below(2))
        self.last_id = 0
        self._forging = False
        scenario = _scenario(self.setting)
        self.end = GuestEnd(scenario, self._overhear)
        self.name = scenario.devices[0].name
        self.offers = 0

    # The way of a device

    def begin(self) -> None:
        """The guest boots, and the device is offered."""
        self.run()
        self.offer()

    @property
    def relid(self) -> RelId:
        """The bus's channel as it is now."""
        return self.end.partition.bus(self.name).relid

    def offer(self) -> None:
        """The device is offered, and the guest deals with it."""
        self.trail.step("offer")
        self.offers += 1
        self.end.partition.offer(self.name)
        self.run()

    def leave(self) -> None:
        """The host takes the device back."""
        self.trail.step("rescind")
        with contextlib.suppress(LocalProtocolError):
            self.end.partition.rescind(self.name)
        self.run()

    def _overhear(self, event: PacketPublished) -> None:
        """The guest has sent something: now and then it is answered before the host has seen it."""
        self.last_id = event.transaction_id or self.last_id
        if self.in_peace or self._forging or self.dice.below(ONE_IN):
            return
        self._forging = True  # what is made up does not depend on what it leads to
        for packet in self.made_up(event.transaction_id):
            self.trail.packet(packet)
            self.end.write_at_once(event.relid, packet)
        self._forging = False

    # Packets

    def some_id(self) -> int:
        """A transaction id: of the last request, or near it; mostly nobody waits for it."""
        return max(0, self.last_id - self.dice.below(ANSWERS_IN + 1))

    def made_up(self, transaction_id: int) -> tuple[RawPacket, ...]:
        """A packet that is not right, or not now; perhaps an answer to that request."""
        dice = self.dice
        if transaction_id and dice.below(ANSWERS_IN):
            right = answer(transaction_id, pick(dice, self.answers))
        else:
            right = RawPacket(pick(dice, self.pool), VM_PKT_DATA_INBAND)
        changed = mutate(dice, right, self.pool)
        if dice.below(LOSES_STEP_IN) and any(loses_step(packet) for packet in changed):
            return (right,)
        return changed

    def write(self, packet: RawPacket) -> None:
        """Write a packet, let the guest run, and check what it has said of it."""
        end = self.end
        before, lines = len(end.happened), self.lines()
        reads = self._reads()
        if not end.write(self.relid, packet):
            return
        self.trail.packet(packet)
        self.run()
        if loses_step(packet):
            end.put_in_step(self.relid)
        elif reads:
            self.check(self._unsaid(packet, before, lines))

    def lines(self) -> int:
        """How long the guest's log is."""
        return len(self.end.guest.kernel.log_lines)

    def has_logged(self, lines: int) -> bool:
        """Whether it has grown since it was so long; of a full one nobody can tell."""
        return lines < self.lines() or lines == LOG_LINES_MAX

    def _reads(self) -> bool:
        """Whether the guest reads the ring, and has read it to its end."""
        channel = self.end.channel(self.relid)
        if channel is None or channel.rescind or channel.onchannel_callback is None:
            return False
        return channel.inbound is not None and channel.inbound.empty()

    def _unsaid(self, packet: RawPacket, before: int, lines: int) -> list[str]:
        """What the guest has refused in silence."""
        events = [event for _, _, event in self.end.happened[before:]]
        dropped = sum(isinstance(event, PacketDropped) for event in events)
        why = refusal(packet)
        if why is not None and not (dropped and self.has_logged(lines)):
            return [f"nobody was told that it was refused: {why}"]
        taken = any(isinstance(event, RequestCompleted) for event in events)
        if answered(packet) and not dropped and not taken:
            return ["an answer was neither taken nor refused"]
        return []

    # Running and checking

    def run(self) -> None:
        """Until nothing is left to do."""
        engine = self.end.engine
        try:
            engine.run()
        except (GuestFault, ProtocolError, Stuck) as error:
            self._over(judge_error(error, engine, self.end.whose(), None))
        violation = judge_standstill(engine)
        if violation is not None:
            self._over(violation)
        self.check([])

    def _over(self, violation: Violation) -> None:
        """The guest has come to an end; the items that explain it, or Broken."""
        self.end.engine.abandon()
        items = recognise(OPEN_ITEMS, self.end.happened, SIGNATURES).explaining(violation)
        if items:
            raise OpenItemShown(sorted(items))
        told = f"{violation.kind} in {violation.context}: {violation.message}"
        raise self.trail.broken([f"{self.setting}", told])

    def check(self, found: list[str]) -> None:
        """Raises Broken for what was found, and for what is unlawful now."""
        found = found + list(guest_complaints(self.end.guest, self.end.engine, self.offers))
        if found:
            raise self.trail.broken([f"{self.setting}", *found])
