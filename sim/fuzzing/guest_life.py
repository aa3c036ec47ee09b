# SPDX-License-Identifier: MIT
"""One life of the reference guest opposite a host whose ring somebody else writes into.

The dice choose the device, the version, whether the probe is left in peace, and every packet. What
ends a life early is a fault that is an open item of the real driver, by its signature in the trace;
any other breaks it. What is done besides sending packets is in ``guest_steps``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Final

from guest.defects.open_items import OPEN_ITEMS
from guest.kernel.faults import GuestFault
from guest.kernel.kernel import LOG_LINES_MAX
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.ids import RelId, SlotNumber
from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND
from sim.bounds import Stuck
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.guest_answers import loses_step, unsaid
from sim.fuzzing.guest_end import GuestEnd
from sim.fuzzing.guest_laws import guest_complaints
from sim.fuzzing.guest_settings import SETTINGS, scenario_of
from sim.fuzzing.mutations import mutate
from sim.fuzzing.packets import RawPacket, answer, answers, from_a_host
from sim.fuzzing.telling import Trail
from sim.judging import judge_error, judge_standstill
from sim.oracles.known import recognise
from sim.oracles.signatures import SIGNATURES
from sim.violation import Violation

SLOTS: Final = (SlotNumber(0), SlotNumber(1))
ONE_IN: Final = 4  # requests that are answered by somebody else, in a probe that is not in peace
LOSES_STEP_IN: Final = 24  # packets whose lengths lie end nearly every life (open item O38)
ANSWERS_IN: Final = 2  # of the packets that lie in the ring, those that answer something


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
        self._written: list[tuple[RelId, RawPacket]] = []  # and not yet judged
        scenario = scenario_of(self.setting)
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
            self.end.at_once(partial(self._forge, event.relid, packet))
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
        if self.put(self.relid, packet):
            self.run()

    def put(self, relid: RelId, packet: RawPacket) -> bool:
        """Write a packet; False where the ring is not in use, or has no room."""
        if not self.end.write(relid, packet):
            return False
        self._written.append((relid, packet))
        self.trail.packet(packet)
        return True

    def _forge(self, relid: RelId, packet: RawPacket) -> None:
        self.put(relid, packet)

    def lines(self) -> int:
        """How long the guest's log is."""
        return len(self.end.guest.kernel.log_lines)

    def has_logged(self, lines: int) -> bool:
        """Whether it has grown since it was so long; of a full one nobody can tell."""
        return lines < self.lines() or lines == LOG_LINES_MAX

    def _reads(self, relid: RelId) -> bool:
        """Whether the guest reads the ring, and has read it to its end."""
        channel = self.end.channel(relid)
        if channel is None or channel.rescind or channel.onchannel_callback is None:
            return False
        return channel.inbound is not None and channel.inbound.empty()

    def _judge_written(self, heard: int, lines: int) -> None:
        """Check what the guest has said, since then, of the packets that it has been written."""
        written, self._written = self._written, []
        lost = [relid for relid, packet in written if loses_step(packet)]
        for relid in lost:
            self.end.put_in_step(relid)
        read = [packet for relid, packet in written if lost or self._reads(relid)]
        events = [event for _, _, event in self.end.happened[heard:]]
        told = unsaid(read, events, logged=self.has_logged(lines))
        self.check([] if lost else told, unread=len(written) - len(read))

    # Running and checking

    def run(self) -> None:
        """Until nothing is left to do."""
        engine = self.end.engine
        heard, lines = len(self.end.happened), self.lines()
        try:
            engine.run()
        except (GuestFault, ProtocolError, Stuck) as error:
            self._over(judge_error(error, engine, self.end.whose(), None))
        violation = judge_standstill(engine)
        if violation is not None:
            self._over(violation)
        self._judge_written(heard, lines)

    def _over(self, violation: Violation) -> None:
        """The guest has come to an end; the items that explain it, or Broken."""
        self.end.engine.abandon()
        items = recognise(OPEN_ITEMS, self.end.happened, SIGNATURES).explaining(violation)
        if items:
            raise OpenItemShown(sorted(items))
        told = f"{violation.kind} in {violation.context}: {violation.message}"
        raise self.trail.broken([f"{self.setting}", told])

    def check(self, found: list[str], unread: int = 0) -> None:
        """Raises Broken for what was found, and for what is unlawful now; else all is survived."""
        found = found + list(guest_complaints(self.end.guest, self.end.engine, self.offers))
        if found:
            raise self.trail.broken([f"{self.setting}", *found])
        self.trail.survive(unread)
