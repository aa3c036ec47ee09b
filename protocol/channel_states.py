# SPDX-License-Identifier: MIT
"""The life of a VMBus channel and of a GPADL, as tables ``state -> input -> state``.

All transitions live here, and this file does not know which side reads it: the host's server moves
by it, and a law over a trace can judge either peer by it. What is not listed is forbidden. After a
rescind the guest's late messages are listed and change nothing: they crossed the rescind on their
way (wire-notes section 1.7; OpenVMM ``vmbus_server/channels.rs`` treats ``Revoked`` the same).
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class ChannelState(IntEnum):
    """A channel as both sides know it. An IntEnum, because its hash is C's."""

    UNOFFERED = 0  # the host has it, this connection's guest has not heard of it or gave it back
    OFFERED = 1  # known to the guest and closed
    OPENING = 2  # asked for, the host's device has not answered
    OPEN = 3
    RESCINDED = 4  # taken back, the guest still holds the relid
    GONE = 5  # nobody holds it; the relid may serve another channel


class ChannelInput(IntEnum):
    """What moves a channel: control messages, the host's answers, the end of the connection."""

    OFFERCHANNEL = 0
    GPADL_HEADER = 1
    GPADL_TEARDOWN = 2
    OPENCHANNEL = 3
    OPEN_SUCCEEDED = 4
    OPEN_FAILED = 5
    MODIFYCHANNEL = 6
    CLOSECHANNEL = 7
    RESCIND_CHANNELOFFER = 8
    RELID_RELEASED = 9
    CONNECTION_ENDED = 10  # UNLOAD, or a new INITIATE_CONTACT


_S, _I = ChannelState, ChannelInput

CHANNEL_TRANSITIONS: Final[Mapping[ChannelState, Mapping[ChannelInput, ChannelState]]] = {
    _S.UNOFFERED: {
        _I.OFFERCHANNEL: _S.OFFERED,
        _I.RESCIND_CHANNELOFFER: _S.GONE,  # the guest need not be told of what it never saw
        _I.CONNECTION_ENDED: _S.UNOFFERED,
        # A device that answers an OPEN of the connection before.
        _I.OPEN_SUCCEEDED: _S.UNOFFERED,
        _I.OPEN_FAILED: _S.UNOFFERED,
    },
    _S.OFFERED: {
        _I.GPADL_HEADER: _S.OFFERED,
        _I.GPADL_TEARDOWN: _S.OFFERED,
        _I.OPENCHANNEL: _S.OPENING,
        _I.RESCIND_CHANNELOFFER: _S.RESCINDED,
        _I.RELID_RELEASED: _S.UNOFFERED,
        _I.CONNECTION_ENDED: _S.UNOFFERED,
    },
    _S.OPENING: {
        _I.GPADL_HEADER: _S.OPENING,
        _I.GPADL_TEARDOWN: _S.OPENING,
        _I.OPEN_SUCCEEDED: _S.OPEN,
        _I.OPEN_FAILED: _S.OFFERED,
        _I.RESCIND_CHANNELOFFER: _S.RESCINDED,
        _I.CONNECTION_ENDED: _S.UNOFFERED,
    },
    _S.OPEN: {
        _I.GPADL_HEADER: _S.OPEN,
        _I.GPADL_TEARDOWN: _S.OPEN,
        _I.MODIFYCHANNEL: _S.OPEN,
        _I.CLOSECHANNEL: _S.OFFERED,
        _I.RESCIND_CHANNELOFFER: _S.RESCINDED,
        _I.CONNECTION_ENDED: _S.UNOFFERED,
    },
    _S.RESCINDED: {
        _I.GPADL_HEADER: _S.RESCINDED,
        _I.GPADL_TEARDOWN: _S.RESCINDED,
        _I.OPENCHANNEL: _S.RESCINDED,
        _I.OPEN_SUCCEEDED: _S.RESCINDED,
        _I.OPEN_FAILED: _S.RESCINDED,
        _I.MODIFYCHANNEL: _S.RESCINDED,
        _I.CLOSECHANNEL: _S.RESCINDED,
        _I.RELID_RELEASED: _S.GONE,
        _I.CONNECTION_ENDED: _S.GONE,
    },
    _S.GONE: {},
}


class GpadlState(IntEnum):
    """A guest physical address descriptor list, from its header to its teardown."""

    ABSENT = 0
    IN_PROGRESS = 1  # bodies are missing
    CREATED = 2
    RING = 3  # an open channel's rings live in it


class GpadlInput(IntEnum):
    HEADER_WITH_MORE = 0
    HEADER_WITH_ALL = 1
    BODY_WITH_MORE = 2
    BODY_WITH_LAST = 3
    REFUSED = 4  # the host answered GPADL_CREATED with a failure
    CHANNEL_OPENED = 5
    CHANNEL_CLOSED = 6
    TEARDOWN = 7


_G, _J = GpadlState, GpadlInput

GPADL_TRANSITIONS: Final[Mapping[GpadlState, Mapping[GpadlInput, GpadlState]]] = {
    _G.ABSENT: {
        _J.HEADER_WITH_MORE: _G.IN_PROGRESS,
        _J.HEADER_WITH_ALL: _G.CREATED,
        _J.REFUSED: _G.ABSENT,
    },
    _G.IN_PROGRESS: {
        _J.BODY_WITH_MORE: _G.IN_PROGRESS,
        _J.BODY_WITH_LAST: _G.CREATED,
        _J.REFUSED: _G.ABSENT,
    },
    _G.CREATED: {
        _J.CHANNEL_OPENED: _G.RING,
        _J.TEARDOWN: _G.ABSENT,
    },
    _G.RING: {
        _J.CHANNEL_CLOSED: _G.CREATED,
    },
}
