# SPDX-License-Identifier: MIT
"""The host's end of the VMBus control plane: contact, offers, GPADLs, open, close, rescind.

Control messages in, effects out; sans I/O and without a clock. Whoever owns it posts the messages,
opens the rings and tells what became of it. Refuses to know what runs over a channel. The cost of
a message does not depend on the number of channels, except where a connection begins or ends.
Behaviour: wire-notes section 1, Linux ``drivers/hv``, OpenVMM ``vmbus_server/channels.rs``.
The host's own side of it is in ``host.offered_channels``.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, TypeAlias

from host.channel_book import Channel
from host.offered_channels import OfferedChannels
from host.vmbus_effects import (
    ChannelRetargeted,
    OpenRing,
)
from protocol.channel_states import (
    ChannelInput,
    ChannelState,
    GpadlInput,
    GpadlState,
)
from protocol.errors import RemoteProtocolError
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.ids import Gpa, GpadlId, RelId, VpIndex
from protocol.session_states import SessionInput
from protocol.status import STATUS_SUCCESS, STATUS_UNSUCCESSFUL, unsigned
from protocol.vmbus import (
    VMBUS_MESSAGE_SINT,
    ChannelMessageType,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelGpadlTorndown,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelModifychannel,
    VmbusChannelModifychannelResponse,
    VmbusChannelOpenChannel,
    VmbusChannelRelidReleased,
    VmbusChannelVersionResponse,
    message_name,
    message_type,
)

INTERRUPTS_DISABLED: Final = 0xFFFFFFFF  # target_vp of a guest that polls (OpenVMM)
_FAILED: Final = unsigned(STATUS_UNSUCCESSFUL)
_RING_PAGES_MIN: Final = 2  # header page and data
_ALL_OFFERS_DELIVERED: Final = VmbusChannelMessageHeader(
    msgtype=ChannelMessageType.CHANNELMSG_ALLOFFERS_DELIVERED
)
_UNLOAD_RESPONSE: Final = VmbusChannelMessageHeader(
    msgtype=ChannelMessageType.CHANNELMSG_UNLOAD_RESPONSE
)

_Handler: TypeAlias = Callable[["VmbusServer", bytes], None]


class VmbusServer(OfferedChannels):
    """The server of one VM. Feed it with what happens, then carry out :meth:`take_effects`.

    What the guest does wrong raises RemoteProtocolError, what the host's own side does wrong
    LocalProtocolError; either names state and input, and leaves every state as it was.
    """

    def post_message(self, payload: bytes) -> None:
        """A control message of the guest, from its header on.

        :raises RemoteProtocolError: malformed, not for a host, or not now; nothing has changed.
        """
        handler = self._HANDLERS.get(message_type(payload))
        if handler is None:
            raise RemoteProtocolError(f"{message_name(payload)} is no message to a host")
        handler(self, payload)

    def _initiate_contact(self, payload: bytes) -> None:
        contact = VmbusChannelInitiateContact.parse(payload)
        if contact.target_vcpu not in self._vps:
            raise RemoteProtocolError(f"INITIATE_CONTACT for VP {contact.target_vcpu}")
        dialect = self._dialects.get(contact.vmbus_version_requested)
        # Model: there is no second trust level, and messages go to SINT 2 only.
        elsewhere = contact.msg_sint != VMBUS_MESSAGE_SINT or contact.msg_vtl
        if dialect is not None and dialect.contact_carries_sint and elsewhere:
            dialect = None
        accepted = dialect is not None
        self._step(SessionInput.CONTACT_ACCEPTED if accepted else SessionInput.CONTACT_REFUSED)
        self._end_connection()
        self._dialect = dialect
        self._message_vp = VpIndex(contact.target_vcpu)
        if dialect is None:
            self._post(VmbusChannelVersionResponse(version_supported=0))
            return
        # Before 5.0 the word repeats the version (OpenVMM selected_version_or_connection_id).
        names_id = dialect.reply_names_connection_id
        named = self._message_connection_id or dialect.message_connection_id
        word = named if names_id else dialect.version
        self._post(VmbusChannelVersionResponse(version_supported=1, msg_conn_id=word))

    def _request_offers(self, payload: bytes) -> None:
        del payload
        self._step(SessionInput.REQUESTOFFERS)
        for channel in list(self._channels):
            if channel.holder is None:
                self._number_anew(channel)
                self._send_offer(channel)
        self._post(_ALL_OFFERS_DELIVERED)

    def _unload(self, payload: bytes) -> None:
        del payload
        if self._dialect is not None and not self._dialect.unload:
            raise RemoteProtocolError(f"UNLOAD at version {self._dialect.name}")
        if self._unload_ignored:
            return
        self._step(SessionInput.UNLOAD)
        self._end_connection()
        self._dialect = None
        self._post(_UNLOAD_RESPONSE)

    def _gpadl_header(self, payload: bytes) -> None:
        message = VmbusChannelGpadlHeader.parse(payload)
        if self._refuses_unknown and self._channels.get(RelId(message.child_relid)) is None:
            self._step(SessionInput.CHANNEL_MESSAGE)
            self._answer_gpadl(RelId(message.child_relid), GpadlId(message.gpadl), _FAILED)
            return
        channel = self._guest_channel(message.child_relid, ChannelInput.GPADL_HEADER)
        handle = GpadlId(message.gpadl)
        words: list[int] = []
        for part in message.range:
            words += (part.byte_offset << 32 | part.byte_count, *part.pfn_array)
        try:
            complete = self._gpadls.begin(
                handle,
                channel.relid,
                range_bytes=message.range_buflen,
                wanted_ranges=message.rangecount,
                words=words,
            )
        except RemoteProtocolError:
            self._answer_gpadl(channel.relid, handle, _FAILED)
            return
        channel.gpadls.append(handle)
        if complete:
            self._answer_gpadl(channel.relid, handle, STATUS_SUCCESS)

    def _gpadl_body(self, payload: bytes) -> None:
        message = VmbusChannelGpadlBody.parse(payload)
        self._step(SessionInput.CHANNEL_MESSAGE)
        handle = GpadlId(message.gpadl)
        relid = self._gpadls.incomplete(handle)  # a body does not say which channel it is for
        try:
            complete = self._gpadls.extend(handle, message.pfn)
        except RemoteProtocolError:
            self._drop(relid, handle)
            self._answer_gpadl(relid, handle, _FAILED)
            return
        if complete:
            self._answer_gpadl(relid, handle, STATUS_SUCCESS)

    def _drop(self, relid: RelId, handle: GpadlId) -> None:
        """A list came to nothing: its channel has it no longer."""
        channel = self._channels.get(relid)
        if channel is not None:
            channel.gpadls.remove(handle)

    def _gpadl_teardown(self, payload: bytes) -> None:
        message = VmbusChannelGpadlTeardown.parse(payload)
        channel = self._guest_channel(message.child_relid, ChannelInput.GPADL_TEARDOWN)
        handle = GpadlId(message.gpadl)
        self._gpadls.remove(handle, channel.relid)
        channel.gpadls.remove(handle)
        self._post(VmbusChannelGpadlTorndown(gpadl=handle))

    def _open_channel(self, payload: bytes) -> None:
        message = VmbusChannelOpenChannel.parse(payload)
        channel = self._guest_channel(message.child_relid, ChannelInput.OPENCHANNEL)
        if channel.state is ChannelState.RESCINDED:
            return  # too late; the guest will find out (wire-notes section 1.7)
        channel.openid = message.openid
        pages = self._ring_pages(channel, message)
        if not pages:
            self.opened(channel.relid, STATUS_UNSUCCESSFUL)
            return
        channel.ring = GpadlId(message.ringbuffer_gpadlhandle)
        self._gpadls.step(channel.ring, GpadlInput.CHANNEL_OPENED)
        target = VpIndex(message.target_vp)
        channel.target_vp = None if target == INTERRUPTS_DISABLED else target
        self._effects.append(
            OpenRing(
                channel.relid,
                pages,
                message.downstream_ringbuffer_pageoffset,
                channel.target_vp,
                message.userdata,
            )
        )

    def _close_channel(self, payload: bytes) -> None:
        message = VmbusChannelCloseChannel.parse(payload)
        channel = self._guest_channel(message.child_relid, ChannelInput.CLOSECHANNEL)
        if channel.state is not ChannelState.RESCINDED:
            self._close_ring(channel)

    def _modify_channel(self, payload: bytes) -> None:
        message = VmbusChannelModifychannel.parse(payload)
        dialect = self._dialect
        if dialect is not None and not dialect.modify_channel:
            raise RemoteProtocolError(f"MODIFYCHANNEL at version {dialect.name}")
        channel = self._guest_channel(message.child_relid, ChannelInput.MODIFYCHANNEL)
        if channel.state is ChannelState.RESCINDED:
            return
        target, status = VpIndex(message.target_vp), _FAILED
        if target in self._vps and channel.target_vp is not None:
            channel.target_vp, status = target, STATUS_SUCCESS
            self._effects.append(ChannelRetargeted(channel.relid, target))
        if dialect is not None and dialect.modify_channel_response:
            self._post(VmbusChannelModifychannelResponse(child_relid=channel.relid, status=status))

    def _relid_released(self, payload: bytes) -> None:
        message = VmbusChannelRelidReleased.parse(payload)
        channel = self._guest_channel(message.child_relid, ChannelInput.RELID_RELEASED)
        self._gpadls.forget(channel.gpadls)
        channel.gpadls.clear()
        if channel.state is ChannelState.GONE:
            self._free(channel)

    def _ring_pages(
        self, channel: Channel, message: VmbusChannelOpenChannel
    ) -> tuple[Gpa, ...] | None:
        """The ring's pages, or None where the request makes no sense."""
        gpadl = self._gpadls.get(GpadlId(message.ringbuffer_gpadlhandle), channel.relid)
        if gpadl is None or gpadl.state is not GpadlState.CREATED or len(gpadl.ranges) != 1:
            return None
        ((byte_count, byte_offset, pages),) = gpadl.ranges
        downstream = message.downstream_ringbuffer_pageoffset
        if byte_offset or byte_count % HV_HYP_PAGE_SIZE:
            return None
        if not _RING_PAGES_MIN <= downstream <= len(pages) - _RING_PAGES_MIN:
            return None
        known = message.target_vp in self._vps or message.target_vp == INTERRUPTS_DISABLED
        return pages if known else None

    def _answer_gpadl(self, relid: RelId, handle: GpadlId, status: int) -> None:
        self._post(
            VmbusChannelGpadlCreated(child_relid=relid, gpadl=handle, creation_status=status)
        )

    _HANDLERS: ClassVar[Mapping[int, _Handler]] = {
        ChannelMessageType.CHANNELMSG_INITIATE_CONTACT: _initiate_contact,
        ChannelMessageType.CHANNELMSG_REQUESTOFFERS: _request_offers,
        ChannelMessageType.CHANNELMSG_UNLOAD: _unload,
        ChannelMessageType.CHANNELMSG_GPADL_HEADER: _gpadl_header,
        ChannelMessageType.CHANNELMSG_GPADL_BODY: _gpadl_body,
        ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN: _gpadl_teardown,
        ChannelMessageType.CHANNELMSG_OPENCHANNEL: _open_channel,
        ChannelMessageType.CHANNELMSG_CLOSECHANNEL: _close_channel,
        ChannelMessageType.CHANNELMSG_MODIFYCHANNEL: _modify_channel,
        ChannelMessageType.CHANNELMSG_RELID_RELEASED: _relid_released,
    }
