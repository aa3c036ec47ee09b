# SPDX-License-Identifier: MIT
"""What every handler of the VSP is given: the bus's name, the host's knobs, the shape of a table.

A *handler* takes (rules, state, input) and returns the new state and the effects; it never
changes anything else.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from host.effects import Effect
from host.knobs import Knobs
from host.vsp.inputs import Input, PacketReceived
from host.vsp.state import Phase, VspState
from protocol.versions import VPCI_DIALECTS, Dialect, vpci_dialect

Outcome = tuple[VspState, tuple[Effect, ...]]
Handler = Callable[["Rules", VspState, Any], Outcome]
Refusal = Callable[["Rules", VspState, PacketReceived, str], Outcome]
PacketTable = Mapping[Phase, Mapping[int, Handler]]
InputTable = Mapping[type[Input], Mapping[Phase, Handler]]


class Profile(msgspec.Struct, frozen=True):
    """A kind of host: its transition tables over the shared handlers, and its knobs' defaults.

    ``packets`` has a row for each phase in which the ring is read, with every message type in it;
    ``unknown`` answers types that have no name, ``damaged`` what cannot be parsed, ``foreign``
    the ring's packet types that are no in-band data (a type not in it is read as data).
    ``inputs`` lists every other input by phase; one without a row is the owner's mistake
    (LocalProtocolError).
    """

    name: str
    knobs: Knobs
    packets: PacketTable
    unknown: Mapping[Phase, Refusal]
    damaged: Mapping[Phase, Refusal]
    foreign: Mapping[int, Refusal]
    inputs: InputTable


class Rules(msgspec.Struct, frozen=True):
    """A profile made ready for one bus: knobs resolved once, so that handlers only look up."""

    bus: str
    knobs: Knobs
    versions: Mapping[int, Dialect]
    reply_version: int


def rules_for(bus: str, knobs: Knobs) -> Rules:
    """Resolve version names. Raises ValueError for a name no dialect has."""
    return Rules(bus, knobs, *_versions(knobs))


@lru_cache(maxsize=16)  # a process seldom sees more than one or two kinds of host
def _versions(knobs: Knobs) -> tuple[Mapping[int, Dialect], int]:
    """What is accepted, by wire number, and what the host names in its answers."""
    accepted = [vpci_dialect(name) for name in knobs.versions]
    refused = [vpci_dialect(name) for name in knobs.refused_versions]
    versions = {
        number: dialect  # in the table's order: the last is the highest
        for number, dialect in VPCI_DIALECTS.items()
        if dialect in accepted and dialect not in refused
    }
    if knobs.reply_version == "highest":
        reply_version = next(reversed(versions), 0)
    else:
        reply_version = vpci_dialect(knobs.reply_version).version
    return versions, reply_version
