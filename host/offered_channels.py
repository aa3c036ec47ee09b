# SPDX-License-Identifier: MIT
"""The channels a VMBus server has on offer, moved by the host's own side: offer, rescind, opened.

Keeps the session, the channels and the guest's memory lists, and collects what has to be done.
Reads no message: that is ``host.vmbus_server``'s.
"""

from collections.abc import Collection, Mapping
from enum import Enum
from functools import lru_cache
from typing import Final

from host.channel_book import Channel, ChannelBook, Renumber, Reoffer
from host.gpadls import GpadlTable
from host.vmbus_effects import (
    ChannelFreed,
    ChannelRenumbered,
    CloseRing,
    Effect,
    Offer,
    PostToGuest,
)
from protocol.channel_states import (
    ChannelInput,
    ChannelState,
    GpadlInput,
)
from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.ids import ConnectionId, GpadlId, RelId, VpIndex
from protocol.session_states import SESSION_TRANSITIONS, SessionInput, SessionState
from protocol.status import STATUS_SUCCESS, unsigned
from protocol.transitions import advance
from protocol.versions import VMBUS_DIALECTS, VmbusDialect
from protocol.vmbus import (
    VMBUS_MESSAGE_CONNECTION_ID,
    VMBUS_MESSAGE_SINT,
    ChannelMessageType,
    VmbusChannelOffer,
    VmbusChannelOfferChannel,
    VmbusChannelOpenResult,
    VmbusChannelRescindOffer,
)

# Model: real numbering is not established; SINT 2 in bits 12-15 over the relid, as OpenVMM does.
CONNECTION_ID_BASE: Final = VMBUS_MESSAGE_SINT << 12
OFFERS_KEPT: Final = 256  # 196 bytes each; more than the largest built-in scenario has devices
_CONTACT: Final = bytes([ChannelMessageType.CHANNELMSG_INITIATE_CONTACT])  # a message's first byte
_NO_MONITOR: Final = 0xFF  # monitorid of a channel that has no monitor page slot
_HELD: Final = (
    *(ChannelState.OFFERED, ChannelState.OPENING, ChannelState.OPEN, ChannelState.RESCINDED),
)
_HAS_RING: Final = (ChannelState.OPENING, ChannelState.OPEN)


@lru_cache(maxsize=OFFERS_KEPT)
def _offer_message(offer: Offer, relid: RelId) -> bytes:
    return VmbusChannelOfferChannel(
        offer=VmbusChannelOffer(
            if_type=offer.interface_id,
            if_instance=offer.instance_id,
            chn_flags=offer.chn_flags,
            mmio_megabytes=offer.mmio_megabytes,
            sub_channel_index=offer.sub_channel_index,
        ),
        child_relid=relid,
        monitorid=_NO_MONITOR,
        is_dedicated_interrupt=1,
        connection_id=CONNECTION_ID_BASE + relid,
    ).build()


class UnknownGpadl(Enum):
    """What a GPADL_HEADER for a relid that nobody has is answered; see the knob of that name."""

    REFUSED = "refused"
    UNANSWERED = "unanswered"


class OfferedChannels:
    """What the server of one VM keeps; only it and the server built on it write that.

    What the host's own side does wrong raises LocalProtocolError, which names state and input, and
    leaves every state as it was.
    """

    def __init__(
        self,
        vps: Collection[VpIndex],
        *,
        dialects: Mapping[int, VmbusDialect] = VMBUS_DIALECTS,
        reoffer: Reoffer = Reoffer.AFTER_RELEASE,
        renumber: Renumber = Renumber.OTHER,
        unknown_gpadl: UnknownGpadl = UnknownGpadl.REFUSED,
        rescinds_also_to: Collection[VpIndex] = (),
        unload_ignored: bool = False,
        message_connection_id: int = 0,
    ) -> None:
        """``vps``: VP indices that exist; ``dialects``: accepted versions by wire number.

        ``rescinds_also_to``: VPs that get each rescind beside the one that gets all messages.
        ``unload_ignored``: the host never comes to answering UNLOAD. ``message_connection_id``:
        where messages are to be posted that follow on a contact, 0 where that was posted.
        """
        self._message_connection_id = message_connection_id
        self._unload_ignored = unload_ignored
        self._rescinds_also_to = tuple(rescinds_also_to)
        self._renumber = renumber
        self._refuses_unknown = unknown_gpadl is UnknownGpadl.REFUSED
        self._vps = frozenset(vps)
        self._dialects = dialects
        self._session = SessionState.DISCONNECTED
        self._dialect: VmbusDialect | None = None
        self._message_vp = VpIndex(0)
        self._channels = ChannelBook(reoffer)
        self._gpadls = GpadlTable()
        self._effects: list[Effect] = []
        self._contact_ids = frozenset(
            {VMBUS_MESSAGE_CONNECTION_ID, *(d.message_connection_id for d in dialects.values())}
        )

    @property
    def session(self) -> SessionState:
        return self._session

    def hears(self, connection_id: ConnectionId, payload: bytes) -> bool:
        """Whether a message posted there (HVCALL_POST_MESSAGE) is taken by somebody.

        Where not, that is INVALID_CONNECTION_ID, by which Linux learns that a host is older than
        5.0.
        """
        named, dialect = self._message_connection_id, self._dialect
        if not named or dialect is None or not dialect.reply_names_connection_id:
            return connection_id in self._contact_ids
        contact = payload[:1] == _CONTACT
        return connection_id in self._contact_ids if contact else connection_id == named

    @property
    def lists_held(self) -> int:
        """The guest's memory lists (GPADLs), complete or not."""
        return len(self._gpadls)

    @property
    def lists_named(self) -> int:
        """The same as the channels count them: each list belongs to one."""
        return sum(len(channel.gpadls) for channel in self._channels)

    def take_effects(self) -> list[Effect]:
        """What has to be done now, in order; each is handed out once."""
        effects, self._effects = self._effects, []
        return effects

    def held_relids(self) -> frozenset[RelId]:
        """Those the guest knows and has not released."""
        return frozenset(channel.relid for channel in self._channels if channel.state in _HELD)

    def state(self, relid: RelId) -> ChannelState:
        """A channel's state; GONE for a relid that nobody has."""
        channel = self._channels.get(relid)
        return ChannelState.GONE if channel is None else channel.state

    def event_target(self, relid: RelId) -> VpIndex | None:
        """The VP whose SynIC gets the channel's event flag; None unless open and interrupting."""
        channel = self._channels.get(relid)
        if channel is None or channel.state is not ChannelState.OPEN:
            return None
        return channel.target_vp

    def signalled(self, connection_id: ConnectionId) -> RelId | None:
        """The channel that HVCALL_SIGNAL_EVENT on this connection id means, if it is open."""
        channel = self._channels.get(RelId(connection_id - CONNECTION_ID_BASE))
        if channel is None or channel.state is not ChannelState.OPEN:
            return None
        return channel.relid

    # --- the host's own side --------------------------------------------------------------------

    def offer(self, offer: Offer) -> RelId:
        """Offer a channel, at once if the guest has asked for offers, else when it does.

        :raises LocalProtocolError: the instance is offered already, or no relid is free.
        """
        channel = self._channels.add(offer)
        if channel.holder is None and self._session is SessionState.OFFERING:
            self._send_offer(channel)
        return channel.relid

    def rescind(self, relid: RelId) -> None:
        """Take a channel back, whatever the guest is doing with it.

        :raises LocalProtocolError: unknown or rescinded already.
        """
        channel = self._channels.get(relid)
        if channel is None:
            raise LocalProtocolError(f"no channel {relid} to rescind")
        before = channel.state
        channel.step(ChannelInput.RESCIND_CHANNELOFFER, LocalProtocolError)
        if before in _HAS_RING:
            self._close_ring(channel)
        if channel.state is ChannelState.GONE:
            self._free(channel)
        else:
            message = VmbusChannelRescindOffer(child_relid=relid)
            self._post(message)
            self._effects += (PostToGuest(vp, message.build()) for vp in self._rescinds_also_to)

    def power_off(self) -> None:
        """The guest's machine is off: a host older than UNLOAD learns of its end by that alone."""
        self._step(SessionInput.POWERED_OFF)
        self._end_connection()
        self._dialect = None

    def opened(self, relid: RelId, status: int = STATUS_SUCCESS) -> None:
        """The device answered OpenRing; an answer that came too late changes nothing.

        :raises LocalProtocolError: nobody asked.
        """
        channel = self._channels.get(relid)
        if channel is None:
            raise LocalProtocolError(f"no channel {relid} to open")
        before = channel.state
        happened = ChannelInput.OPEN_FAILED if status else ChannelInput.OPEN_SUCCEEDED
        channel.step(happened, LocalProtocolError)
        if before is not ChannelState.OPENING:
            return
        if status:
            self._release_ring(channel)
        self._post(
            VmbusChannelOpenResult(
                child_relid=relid, openid=channel.openid, status=unsigned(status)
            )
        )

    def forge(self, payload: bytes) -> None:
        """A hostile host: these bytes as a control message, whatever they mean to the guest."""
        self._effects.append(PostToGuest(self._message_vp, payload))

    # --- leaves -----------------------------------------------------------------------------------

    def _post(self, message: WireRecord) -> None:
        self._effects.append(PostToGuest(self._message_vp, message.build()))

    def _step(self, happened: SessionInput) -> None:
        self._session = advance(SESSION_TRANSITIONS, self._session, happened, RemoteProtocolError)

    def _guest_channel(self, relid: int, happened: ChannelInput) -> Channel:
        """The channel that a guest's message names, moved by it."""
        self._step(SessionInput.CHANNEL_MESSAGE)
        channel = self._channels.get(RelId(relid))
        if channel is None:
            raise RemoteProtocolError(f"{happened.name} for unknown channel {relid}")
        channel.step(happened, RemoteProtocolError)
        return channel

    def _close_ring(self, channel: Channel) -> None:
        self._release_ring(channel)
        self._effects.append(CloseRing(channel.relid))

    def _release_ring(self, channel: Channel) -> None:
        """The GPADL is the guest's own again."""
        if channel.ring:
            self._gpadls.step(channel.ring, GpadlInput.CHANNEL_CLOSED)
            channel.ring = GpadlId(0)

    def _send_offer(self, channel: Channel) -> None:
        channel.step(ChannelInput.OFFERCHANNEL, LocalProtocolError)
        payload = _offer_message(channel.offer, channel.relid)
        self._effects.append(PostToGuest(self._message_vp, payload))

    def _number_anew(self, channel: Channel) -> None:
        """A channel of the connection before gets another relid, if this host does that."""
        if channel.remembered and self._renumber is Renumber.OTHER:
            before = self._channels.renumber(channel)
            self._effects.append(ChannelRenumbered(before, channel.relid))
        channel.remembered = False

    def _end_connection(self) -> None:
        """The guest is gone: nothing it held means anything. The only walk over all channels."""
        self._gpadls.clear()
        for channel in list(self._channels):
            if channel.state in _HAS_RING:
                self._effects.append(CloseRing(channel.relid))
            channel.ring = GpadlId(0)
            channel.gpadls.clear()
            channel.remembered |= channel.state in _HELD
            channel.step(ChannelInput.CONNECTION_ENDED, LocalProtocolError)
            if channel.state is ChannelState.GONE:
                self._free(channel)

    def _free(self, channel: Channel) -> None:
        """Nobody holds the channel any more; whoever waited for that is offered."""
        successor = self._channels.remove(channel)
        self._effects.append(ChannelFreed(channel.relid))
        if successor is not None and self._session is SessionState.OFFERING:
            self._send_offer(successor)
