# SPDX-License-Identifier: MIT
"""One step of a state machine that is a table. Knows no machine."""

from collections.abc import Mapping
from enum import IntEnum
from typing import TypeVar

from protocol.errors import ProtocolError

State = TypeVar("State", bound=IntEnum)
Input = TypeVar("Input", bound=IntEnum)


def advance(
    table: Mapping[State, Mapping[Input, State]],
    state: State,
    happened: Input,
    fault: type[ProtocolError],
) -> State:
    """The state after ``happened``; a transition that is not in the table is somebody's fault.

    :raises fault: the table has no such entry; the caller keeps the state it had.
    """
    after = table[state].get(happened)
    if after is None:
        raise fault(f"{happened.name} in state {state.name}")
    return after
