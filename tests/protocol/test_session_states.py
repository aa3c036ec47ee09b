# SPDX-License-Identifier: MIT
"""The connection's table, drawn a second time as a picture."""

import pytest

from protocol.errors import RemoteProtocolError
from protocol.session_states import SESSION_TRANSITIONS, SessionInput, SessionState
from protocol.transitions import advance

PICTURE = """
                  DISCONNECTED  CONNECTED     OFFERING
CONTACT_ACCEPTED  CONNECTED     CONNECTED     CONNECTED
CONTACT_REFUSED   DISCONNECTED  DISCONNECTED  DISCONNECTED
REQUESTOFFERS     .             OFFERING      .
CHANNEL_MESSAGE   .             .             OFFERING
UNLOAD            .             DISCONNECTED  DISCONNECTED
POWERED_OFF       DISCONNECTED  DISCONNECTED  DISCONNECTED
"""


def test_the_session_table_is_the_picture() -> None:
    head, *rows = (line.split() for line in PICTURE.strip().splitlines())
    assert head == [state.name for state in SESSION_TRANSITIONS]
    assert [row[0] for row in rows] == [happened.name for happened in SessionInput]
    for (_, *afters), happened in zip(rows, SessionInput, strict=True):
        for after, state in zip(afters, SessionState, strict=True):
            listed = SESSION_TRANSITIONS[state].get(happened)
            assert after == ("." if listed is None else listed.name)


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("happened", SessionInput)
def test_every_step_is_listed_or_refused_by_name(
    state: SessionState, happened: SessionInput
) -> None:
    listed = SESSION_TRANSITIONS[state].get(happened)
    if listed is not None:
        assert advance(SESSION_TRANSITIONS, state, happened, RemoteProtocolError) is listed
        return
    with pytest.raises(RemoteProtocolError, match=f"{happened.name} in state {state.name}"):
        advance(SESSION_TRANSITIONS, state, happened, RemoteProtocolError)
