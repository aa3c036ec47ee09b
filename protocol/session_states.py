# SPDX-License-Identifier: MIT
"""The VMBus connection between one guest and its host, as a table ``state -> input -> state``.

Above the channels: who may ask for offers, and when channel messages mean anything. Knows no
channel and no version number; which versions exist is ``protocol.versions``.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class SessionState(IntEnum):
    DISCONNECTED = 0
    CONNECTED = 1  # a version is agreed on, the guest has not asked for offers
    OFFERING = 2  # offers are sent as they come; channel messages are legal


class SessionInput(IntEnum):
    CONTACT_ACCEPTED = 0
    CONTACT_REFUSED = 1
    REQUESTOFFERS = 2
    CHANNEL_MESSAGE = 3  # any message that names a relid or a GPADL
    UNLOAD = 4
    POWERED_OFF = 5  # the machine is off, whatever its guest has said before


_S, _I = SessionState, SessionInput

# A second INITIATE_CONTACT is a new guest (a crash kernel, a retry after a refusal): it ends the
# connection there was, whether or not it is accepted (OpenVMM: request_disconnect comes first).
SESSION_TRANSITIONS: Final[Mapping[SessionState, Mapping[SessionInput, SessionState]]] = {
    _S.DISCONNECTED: {
        _I.CONTACT_ACCEPTED: _S.CONNECTED,
        _I.CONTACT_REFUSED: _S.DISCONNECTED,
        _I.POWERED_OFF: _S.DISCONNECTED,
    },
    _S.CONNECTED: {
        _I.CONTACT_ACCEPTED: _S.CONNECTED,
        _I.CONTACT_REFUSED: _S.DISCONNECTED,
        _I.REQUESTOFFERS: _S.OFFERING,
        _I.UNLOAD: _S.DISCONNECTED,
        _I.POWERED_OFF: _S.DISCONNECTED,
    },
    _S.OFFERING: {
        _I.CONTACT_ACCEPTED: _S.CONNECTED,
        _I.CONTACT_REFUSED: _S.DISCONNECTED,
        _I.CHANNEL_MESSAGE: _S.OFFERING,
        _I.UNLOAD: _S.DISCONNECTED,
        _I.POWERED_OFF: _S.DISCONNECTED,
    },
}
