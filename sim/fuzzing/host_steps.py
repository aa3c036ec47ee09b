# SPDX-License-Identifier: MIT
"""What may be done to a host in a fuzzed life: a table of steps, and a life made of them.

Packets mostly; control messages, floods, rings with forged words, an administrator and time between
them. Knows no more of what is right than ``host_control`` tells of messages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from host.events import ChannelOpened
from host.vsp import Phase
from protocol.errors import LocalProtocolError
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.host_answers import followable
from sim.fuzzing.host_control import control_complaints, from_a_guest
from sim.fuzzing.host_laws import HAS_CHANNEL
from sim.fuzzing.host_life import READS, HostLife
from sim.fuzzing.host_settings import BUS
from sim.fuzzing.mutations import mutate
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.ring_end import forge
from sim.fuzzing.telling import Broken, Trail

STEPS_A_LIFE: Final = 48
PATIENCE_NS: Final = 61_000_000_000  # beyond the host's patience with an eject
OUT_OF_TOUCH_IN: Final = 8  # of the steps that write packets
UNREADABLE_IN: Final = 4  # of the floods
BATCH_MAX: Final = 40  # packets written before the host reads the first
MESSAGE_BYTES_MAX: Final = 240  # what the hypercall takes
RING_WORDS: Final = (0, 1, 2, 3, 16)  # of the header page: indices, mask, pending size, features
WORD_VALUES: Final = (0, 1, 4, 8, 0x100, 0x3FF8, 0x4000, 0x7FFF_FFFF, 0xFFFF_FFFF)
VERBS: Final = (
    ("eject", 0),
    ("eject", 1),
    ("relations", ()),
    ("relations", (0,)),
    ("relations", (0, 1)),
    ("invalidate_block", 0, 1),
    ("invalidate_block", 1, (1 << 64) - 1),
    ("surprise_remove",),
)


def send(life: HostLife) -> None:
    """One packet, right or wrong; as many as come of it."""
    _in_touch(life)
    for packet in life.made_up():
        life.write(packet)


def _in_touch(life: HostLife) -> None:
    """Mostly there is somebody who reads, and who has heard a driver's first packets."""
    if not life.dice.below(OUT_OF_TOUCH_IN):
        return
    if life.bus.state.phase not in READS:
        life.reopen()
    if life.bus.state.phase is Phase.FRESH:
        life.go_on()


def flood(life: HostLife) -> None:
    """Many packets before the host reads the first; mostly none at which it stops reading."""
    _in_touch(life)
    readable = followable if life.dice.below(UNREADABLE_IN) else _of_true_length
    life.write_all(filter(readable, _batch(life)))


def _batch(life: HostLife) -> list[RawPacket]:
    return [made for _ in range(1 + life.dice.below(BATCH_MAX)) for made in life.made_up()]


def read_nothing(life: HostLife) -> None:
    """Many packets whose answers nobody reads, for which there is no room: the host waits."""
    _in_touch(life)
    if life.bus.state.phase not in READS:
        return
    life.trail.step("read nothing")
    ring = life.guest.rings(life.relid).to_guest
    ring.read_index = (ring.write_index + 8) % ring.data_bytes
    for packet in filter(followable, _batch(life)):
        life.put(packet)
    for blocks in (1, (1 << 64) - 1):
        with contextlib.suppress(LocalProtocolError, ValueError):
            life.guest.partition.invalidate_block(BUS, 0, blocks)
    life.guest.run()
    life.check([])
    ring.read_index = ring.write_index
    life.reopen()


def _of_true_length(packet: RawPacket) -> bool:
    return not packet.lies


def control(life: HostLife) -> None:
    """Control messages of VMBus, right or wrong, now and then to a channel that is closed."""
    if not life.dice.below(3):
        life.guest.close(life.relid)
    for _ in range(1 + life.dice.below(3)):
        post(life)
    if not life.dice.below(3):
        life.start()
        life.go_on()


def post(life: HostLife) -> None:
    """One control message, or as many as come of it."""
    pool = from_a_guest(life.guest.opening(life.relid), life.relid)
    for packet in mutate(life.dice, RawPacket(pick(life.dice, pool)), pool):
        payload = packet.payload[:MESSAGE_BYTES_MAX]
        life.events.clear()
        life.trail.message(payload)
        life.posted += 1
        life.guest.post(payload)
        life.guest.run()
        events = tuple(life.events)
        life.check(control_complaints(payload, events))
        if any(isinstance(event, ChannelOpened) for event in events):
            life.reopen()  # over what may be other pages, with what still lies in them


def administer(life: HostLife) -> None:
    """The host's own side does something; what it may not do now it is told."""
    verb, *arguments = pick(life.dice, VERBS)
    life.trail.step(f"administrator: {verb} {arguments}")
    with contextlib.suppress(LocalProtocolError, ValueError):
        getattr(life.guest.partition, str(verb))(BUS, *arguments)
    life.run()
    life.check([])


def wait(life: HostLife) -> None:
    """Nothing happens for longer than the host has patience."""
    life.trail.step("wait")
    life.guest.clock.pass_time(PATIENCE_NS)
    life.run()
    life.check([])


def damage_ring(life: HostLife) -> None:
    """A word of a ring's header page is anything. The host may stop; then it is opened again."""
    if life.bus.state.phase not in HAS_CHANNEL:
        life.start()
        return
    which, word = life.dice.below(2), pick(life.dice, RING_WORDS)
    value = pick(life.dice, WORD_VALUES)
    life.trail.step(f"forge: word {word} of ring {which} is {value:#x}")
    forge(life.guest.rings(life.relid).shared[which], word, value)
    life.guest.signal(life.relid)
    for packet in life.made_up():
        life.put(packet)
    life.guest.run()
    life.check([])
    life.reopen()


def go_on(life: HostLife) -> None:
    """As a driver would."""
    life.reopen()
    life.go_on()


STEPS: Final[Sequence[Callable[[HostLife], None]]] = (
    *(send,) * 24, *(flood,) * 2, *(control,) * 3, administer, administer,
    read_nothing, wait, damage_ring, go_on,
)  # fmt: skip
"""Each as often as it stands here."""


def live(dice: Dice, recorded: Sequence[bytes] = (), steps: int = STEPS_A_LIFE) -> Trail:
    """A whole life: what was done in it. Raises Broken."""
    life = HostLife(dice, recorded)
    try:
        life.start()
        life.go_on()
        for _ in range(steps):
            pick(dice, STEPS)(life)
        life.end()
    except Broken:
        raise
    except Exception as fallen:
        raise life.trail.broken([f"{life.setting}", repr(fallen)]) from fallen
    return life.trail
