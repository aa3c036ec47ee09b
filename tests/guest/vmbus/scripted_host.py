# SPDX-License-Identifier: MIT
"""A host made of answers: control messages in, control messages out, a fixed time later.

It knows the order of the control plane and nothing of vPCI. Tests change its answers by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from guest.isolation import NONE, Isolation
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.vmbus.channel import HvDevice
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.mmio import VmbusMmio
from protocol.codec import WireRecord
from protocol.hypercall import HVCALL_POST_MESSAGE, HypercallResult, call_code
from protocol.ids import VpIndex
from protocol.ring import Ring
from protocol.versions import LINUX_VMBUS_VERSIONS
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlTorndown,
    VmbusChannelMessageHeader,
    VmbusChannelOffer,
    VmbusChannelOfferChannel,
    VmbusChannelOpenResult,
    VmbusChannelRescindOffer,
    VmbusChannelVersionResponse,
    message_name,
    parse_message,
)
from sim.choices import Chooser
from sim.engine import Engine
from tests.ports import X86Port

INTERFACE = UUID("44c4f61d-4444-4400-9d52-802e27ede19f")
INSTANCE = UUID("00000000-1111-2222-3333-444444444444")
DELAY_NS = 10_000
Answer = Callable[[Any], WireRecord | None]


class ScriptedHost(X86Port):
    """Answers each control message by ``answers``; keeps the names of what came in ``heard``."""

    def __init__(
        self,
        chooser: Chooser | None = None,
        *,
        accept: int = 0x50003,
        isolation: Isolation = NONE,
        vtl: int = 0,
    ) -> None:
        self.engine = Engine(chooser)
        memory = PhysicalMemory()
        self.kernel = Kernel(
            port=self, scheduler=self.engine, vp_numbers=(0, 1), emit=lambda _: None, memory=memory
        )
        self.engine.attach(self.kernel)
        mmio = VmbusMmio(self.kernel, [(0xF800_0000, 0xFFFF_FFFF)], None)
        self.vmbus = VmbusConnection(
            self.kernel, versions=LINUX_VMBUS_VERSIONS, mmio=mmio, isolation=isolation, vtl=vtl
        )
        self.heard: list[str] = []
        self.posts: list[Any] = []
        self.signals = 0
        self.status = 0
        c = ChannelMessageType
        self.answers: dict[int, Answer] = {
            c.CHANNELMSG_INITIATE_CONTACT: lambda m: VmbusChannelVersionResponse(
                version_supported=m.vmbus_version_requested == accept, msg_conn_id=0x1234
            ),
            c.CHANNELMSG_REQUESTOFFERS: lambda _: None,
            c.CHANNELMSG_GPADL_HEADER: lambda m: VmbusChannelGpadlCreated(
                child_relid=m.child_relid, gpadl=m.gpadl
            ),
            c.CHANNELMSG_OPENCHANNEL: lambda m: VmbusChannelOpenResult(
                child_relid=m.child_relid, openid=m.openid
            ),
            c.CHANNELMSG_GPADL_TEARDOWN: lambda m: VmbusChannelGpadlTorndown(gpadl=m.gpadl),
            c.CHANNELMSG_UNLOAD: lambda _: VmbusChannelMessageHeader(
                msgtype=c.CHANNELMSG_UNLOAD_RESPONSE
            ),
        }

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        assert vp in (0, 1)
        if call_code(control) != HVCALL_POST_MESSAGE:
            self.signals += 1
            return HypercallResult(0)
        if self.status:
            return HypercallResult(self.status)
        payload = data[16 : 16 + int.from_bytes(data[12:16], "little")]
        self.heard.append(message_name(payload))
        message = parse_message(payload)
        self.posts.append(message)
        answer = self.answers.get(int.from_bytes(payload[:4], "little"))
        reply = answer(message) if answer else None
        if reply is not None:
            self.post(reply)
        return HypercallResult(0)

    def power_off(self) -> None:
        """HostPort: nothing of this host depends on it."""

    def take_read_hold(self) -> int:
        return 0

    def mmio_read(self, gpa: int, size: int) -> int:
        return (1 << (8 * size)) - 1 if gpa else 0

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        return 0 * (gpa + size + value)

    def post(self, message: WireRecord, delay_ns: int = DELAY_NS) -> None:
        """Put a message into the guest's slot later."""
        payload = message.build()
        header = (1).to_bytes(4, "little") + bytes([len(payload)]) + bytes(11)
        self.engine.later(
            (delay_ns, delay_ns),
            message_name(payload),
            lambda: self.vmbus.synic_message(VpIndex(0), header + payload),
        )

    def offer(
        self,
        relid: int = 5,
        delay_ns: int = DELAY_NS,
        interface: UUID = INTERFACE,
        instance: UUID = INSTANCE,
    ) -> None:
        self.post(
            VmbusChannelOfferChannel(
                offer=VmbusChannelOffer(if_type=interface, if_instance=instance),
                child_relid=relid,
                connection_id=0x10000 + relid,
                is_dedicated_interrupt=1,
            ),
            delay_ns,
        )

    def rescind(self, relid: int = 5, delay_ns: int = DELAY_NS) -> None:
        self.post(VmbusChannelRescindOffer(child_relid=relid), delay_ns)

    def connect(self) -> None:
        """Bring the connection up and register the probe under test."""
        self.kernel.spawn_thread("connect", self._connect())

    async def _connect(self) -> None:
        assert await self.vmbus.connect() == 0

    def host_end(self, device: HvDevice) -> tuple[Ring, Ring]:
        """The rings as the host has them: (from the guest, to the guest)."""
        channel = device.channel
        block = self.kernel.memory.window(channel.ring_gpa, channel.ring_pages * 4096)
        split = channel.ring_send_pages * 4096
        return Ring(block[:split]), Ring(block[split:])
