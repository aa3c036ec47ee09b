# SPDX-License-Identifier: MIT
"""The tables of channel and GPADL, drawn a second time as a picture."""

from collections.abc import Mapping
from enum import IntEnum
from typing import TypeVar

import pytest

from protocol.channel_states import (
    CHANNEL_TRANSITIONS,
    GPADL_TRANSITIONS,
    ChannelInput,
    ChannelState,
    GpadlInput,
    GpadlState,
)
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.transitions import advance

State = TypeVar("State", bound=IntEnum)
Input = TypeVar("Input", bound=IntEnum)

CHANNEL_PICTURE = """
                      UNOFFERED  OFFERED    OPENING    OPEN       RESCINDED  GONE
OFFERCHANNEL          OFFERED    .          .          .          .          .
GPADL_HEADER          .          OFFERED    OPENING    OPEN       RESCINDED  .
GPADL_TEARDOWN        .          OFFERED    OPENING    OPEN       RESCINDED  .
OPENCHANNEL           .          OPENING    .          .          RESCINDED  .
OPEN_SUCCEEDED        UNOFFERED  .          OPEN       .          RESCINDED  .
OPEN_FAILED           UNOFFERED  .          OFFERED    .          RESCINDED  .
MODIFYCHANNEL         .          .          .          OPEN       RESCINDED  .
CLOSECHANNEL          .          .          .          OFFERED    RESCINDED  .
RESCIND_CHANNELOFFER  GONE       RESCINDED  RESCINDED  RESCINDED  .          .
RELID_RELEASED        .          UNOFFERED  .          .          GONE       .
CONNECTION_ENDED      UNOFFERED  UNOFFERED  UNOFFERED  UNOFFERED  GONE       .
"""

GPADL_PICTURE = """
                  ABSENT       IN_PROGRESS  CREATED  RING
HEADER_WITH_MORE  IN_PROGRESS  .            .        .
HEADER_WITH_ALL   CREATED      .            .        .
BODY_WITH_MORE    .            IN_PROGRESS  .        .
BODY_WITH_LAST    .            CREATED      .        .
REFUSED           ABSENT       ABSENT       .        .
CHANNEL_OPENED    .            .            RING     .
CHANNEL_CLOSED    .            .            .        CREATED
TEARDOWN          .            .            ABSENT   .
"""


def drawn(table: Mapping[State, Mapping[Input, State]], inputs: type[Input]) -> list[list[str]]:
    """The table as rows of words, a dot where the transition is refused."""
    rows = [[state.name for state in table]]
    for happened in inputs:
        afters = [row.get(happened) for row in table.values()]
        rows.append([happened.name, *("." if a is None else a.name for a in afters)])
    return rows


def test_the_channel_table_is_the_picture() -> None:
    picture = [line.split() for line in CHANNEL_PICTURE.strip().splitlines()]
    assert drawn(CHANNEL_TRANSITIONS, ChannelInput) == picture


def test_the_gpadl_table_is_the_picture() -> None:
    picture = [line.split() for line in GPADL_PICTURE.strip().splitlines()]
    assert drawn(GPADL_TRANSITIONS, GpadlInput) == picture


def test_every_state_is_listed() -> None:
    assert list(CHANNEL_TRANSITIONS) == list(ChannelState)
    assert list(GPADL_TRANSITIONS) == list(GpadlState)


@pytest.mark.parametrize("fault", [RemoteProtocolError, LocalProtocolError])
@pytest.mark.parametrize("state", ChannelState)
@pytest.mark.parametrize("happened", ChannelInput)
def test_every_step_is_listed_or_refused_by_name(
    state: ChannelState, happened: ChannelInput, fault: type[RemoteProtocolError]
) -> None:
    listed = CHANNEL_TRANSITIONS[state].get(happened)
    if listed is not None:
        assert advance(CHANNEL_TRANSITIONS, state, happened, fault) is listed
        return
    with pytest.raises(fault, match=f"^{happened.name} in state {state.name}$"):
        advance(CHANNEL_TRANSITIONS, state, happened, fault)
