# SPDX-License-Identifier: MIT
"""What may be done to a guest in a fuzzed life: a table of steps, and a life made of them.

Packets mostly; floods, a forged index, control messages, work for the device and its coming and
going between them. Knows no law.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from host.vsp import Phase
from protocol.errors import LocalProtocolError
from protocol.ids import Devfn
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.guest_answers import loses_step
from sim.fuzzing.guest_control import control_refusal, from_a_host
from sim.fuzzing.guest_life import GuestLife, OpenItemShown
from sim.fuzzing.mutations import mutate
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.telling import Broken, Trail
from sim.identity import instance_id

STEPS_A_LIFE: Final = 160
BATCH_MAX: Final = 24  # packets written before the guest reads the first
MESSAGE_BYTES_MAX: Final = 240  # what a slot of the SynIC holds
INDICES: Final = (0, 8, 16, 0x100, 0x1008, 0x2FF8, 0x3000, 0x4000, 0x7FFF_FFF8, 0xFFFF_FFFF)
ROUNDS: Final = 1  # commands of a device that is put to work


def send(life: GuestLife) -> None:
    """One packet, right or wrong; as many as come of it."""
    for packet in life.made_up(life.some_id()):
        life.write(packet)


def flood(life: GuestLife) -> None:
    """Many packets before the guest reads the first."""
    for _ in range(1 + life.dice.below(BATCH_MAX)):
        for packet in life.made_up(life.some_id()):
            if not loses_step(packet):
                life.put(life.relid, packet)
    life.run()


def control(life: GuestLife) -> None:
    """A control message of VMBus that the host has not sent."""
    pool = from_a_host(life.relid, instance_id(life.name))
    for packet in mutate(life.dice, RawPacket(pick(life.dice, pool)), pool):
        payload = packet.payload[:MESSAGE_BYTES_MAX]
        life.trail.message(payload)
        life.offers += 1  # it may be one
        lines = life.lines()
        life.end.post(payload)
        life.run()
        why = control_refusal(payload)
        if why is not None and not life.has_logged(lines):
            life.check([f"nobody was told that a message was refused: {why}"])


def forge_index(life: GuestLife) -> None:
    """The host's index of the ring is anything."""
    value = pick(life.dice, INDICES)
    life.trail.step(f"forge: write index {value:#x}")
    life.end.forge_write_index(life.relid, value)
    life.run()
    life.end.put_in_step(life.relid)


def work(life: GuestLife) -> None:
    """The device is put to work, and now its requests are answered by somebody else."""
    life.trail.step("work")
    guest = life.end.guest
    life.in_peace = False
    body = guest.shell().submit(instance_id(life.name), Devfn(0), ROUNDS)
    guest.kernel.spawn_thread("user", body)
    life.run()


def read_block(life: GuestLife) -> None:
    """Somebody reads a configuration block."""
    life.trail.step("read-block")
    guest = life.end.guest
    life.in_peace = False
    body = guest.shell().read_block(instance_id(life.name), Devfn(0), 0, 64)
    guest.kernel.spawn_thread("user", body)
    life.run()


def administer(life: GuestLife) -> None:
    """The host itself asks for the device back, rightly, and offers it again."""
    life.trail.step("eject and offer")
    partition = life.end.partition
    with contextlib.suppress(LocalProtocolError):
        partition.eject(life.name)
    life.run()
    with contextlib.suppress(LocalProtocolError):
        partition.rescind(life.name)
    life.run()
    if partition.bus(life.name).state.phase is Phase.GONE:
        life.offer()


STEPS: Final[Sequence[Callable[[GuestLife], None]]] = (
    *(send,) * 48, *(flood,) * 3, *(control,) * 3, work, read_block, administer,
)  # fmt: skip
"""Each as often as it stands here."""


def live(dice: Dice, recorded: Sequence[bytes] = (), steps: int = STEPS_A_LIFE) -> Trail:
    """A whole life, or as much of it as an open item of the driver leaves: what was done in it.

    Raises Broken.
    """
    life = GuestLife(dice, recorded)
    try:
        life.begin()
        for _ in range(steps):
            pick(dice, STEPS)(life)
        life.leave()
    except OpenItemShown as shown:
        life.trail.ended_by = str(shown)
    except Broken:
        raise
    except Exception as fallen:
        raise life.trail.broken([f"{life.setting}", repr(fallen)]) from fallen
    return life.trail
