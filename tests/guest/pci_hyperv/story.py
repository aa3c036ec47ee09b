# SPDX-License-Identifier: MIT
"""A guest with one channel, and a host that is played by bytes: what the stories are told with.

The host knows no state machine: it answers each request with a status that the story may have
chosen. A real device function stands behind the configuration window. No chooser: natural order,
unless a story asks for random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self
from uuid import UUID

from guest.events import FunctionReturned
from guest.kernel import leaks
from guest.kernel.kernel import Kernel
from guest.kernel.numa import ONE_NODE, NumaNodes
from guest.kernel.pages import PhysicalMemory
from guest.pci_core.subsystem import PciSubsystem
from guest.pci_core.types import PciDev
from guest.pci_hyperv.arch_x86 import X86Arch
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HV_PCIE_GUID, HvPciDriver
from guest.vmbus.channel import HvDevice
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.mmio import VmbusMmio
from host.devices.nvme_ssd import NVME_SSD
from host.devices.profile import DeviceProfile
from host.function import Function
from protocol import vmbus as control
from protocol.hypercall import (
    HV_STATUS_SUCCESS,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HVCALL_POST_MESSAGE,
    HVCALL_RETARGET_INTERRUPT,
    HVCALL_SIGNAL_EVENT,
    HvMmioReadInput,
    HvMmioReadOutput,
    HvMmioWriteInput,
    HypercallResult,
    call_code,
)
from protocol.ids import VpIndex
from protocol.ring import Packet, Ring
from protocol.versions import VPCI_DIALECTS, Dialect
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND, ChannelMessageType
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciBusRelations,
    PciBusRelations2,
    PciChildMessage,
    PciCreateIntResponse,
    PciDevIncoming,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciQResReqResponse,
    PciReadBlock,
    PciReadBlockResponse,
    PciResponse,
    PciVersionRequest,
    TranIntDesc,
    message_name,
    message_type,
)
from sim.choices import Chooser
from sim.engine import Engine
from tests.ports import X86Port

RELID = 5
INSTANCE = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")
REPLY_NS = 20_000
CONFIG_PAGE = 0x1000
LOW_MMIO = (0xF000_0000, 0xF7FF_FFFF)
HIGH_MMIO = (0x10_0000_0000, 0x7F_FFFF_FFFF)
MSI_ADDRESS = 0xFEE0_1000
TWO_NODES = NumaNodes(2, (0, 1))
ALL_VERSIONS = (0x10004, 0x10003, 0x10002, 0x10001)

Answer = Callable[[bytes], bytes | None]


class FakeHost(X86Port):
    """Both ends of the port: answers the guest's calls and puts packets into its ring."""

    def __init__(self, engine: Engine, memory: PhysicalMemory, dialect: Dialect) -> None:
        self.engine = engine
        self.memory = memory
        self.dialect = dialect
        self.vmbus: VmbusConnection
        self.functions: dict[int, Function] = {}
        self.serials: dict[int, int] = {}
        self.received: list[bytes] = []  # ring payloads from the guest, in order
        self.posted: list[ChannelMessageType] = []
        self.retargets: list[tuple[int, bytes]] = []
        self.statuses: dict[MessageType, list[int]] = {}  # to be used up, then 0
        self.silent: set[MessageType] = set()
        self.answers: dict[MessageType, Answer] = {}  # a story's own answers
        self.window = 0
        self.slot = 0
        self.gone = False  # configuration space reads all ones
        self.mmio_status = 0  # of MMIO hypercalls
        self.config_write_ns = 0  # how long a configuration write holds the CPU
        self.blocks: dict[int, bytes] = {}
        self._gpadls: dict[int, int] = {}
        self._rings: tuple[Ring, Ring] | None = None
        self._data = 0x40

    # --- what the guest calls ---

    def hypercall(self, vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        code = call_code(control_word)
        if code == HVCALL_POST_MESSAGE:
            size = int.from_bytes(data[12:16], "little")  # hv_input_post_message.payload_size
            self._take_control(data[16 : 16 + size], vp)
        elif code == HVCALL_SIGNAL_EVENT:
            self._later(self._drain)
        elif code == HVCALL_RETARGET_INTERRUPT:
            self.retargets.append((control_word, data))
        elif self.mmio_status:
            return HypercallResult(self.mmio_status)
        elif code == HVCALL_MMIO_READ:
            read = HvMmioReadInput.parse(data)
            value = self.mmio_read(read.gpa, read.size).to_bytes(read.size, "little")
            output = HvMmioReadOutput(value.ljust(64, b"\0")).build()
            return HypercallResult(HV_STATUS_SUCCESS, output)
        elif code == HVCALL_MMIO_WRITE:
            write = HvMmioWriteInput.parse(data)
            value_bytes = bytes(write.data[: write.size])
            written = int.from_bytes(value_bytes, "little")
            held_ns = self.mmio_write(write.gpa, write.size, written)
            return HypercallResult(HV_STATUS_SUCCESS, held_ns=held_ns)
        return HypercallResult(HV_STATUS_SUCCESS)

    def power_off(self) -> None:
        """HostPort: nothing of this host depends on it."""

    def take_read_hold(self) -> int:
        return 0

    def mmio_read(self, gpa: int, size: int) -> int:
        ones = (1 << 8 * size) - 1
        offset = gpa - self.window - CONFIG_PAGE
        if self.window and 0 <= offset < CONFIG_PAGE:
            function = self.functions.get(self.slot)
            return ones if self.gone or function is None else function.read(offset, size)
        for function in self.functions.values():
            for window in function.windows():
                if window.base <= gpa < window.base + window.size_bytes:
                    return function.bar_read(window.bar, gpa - window.base, size)
        return ones

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        if self.window and gpa == self.window:
            self.slot = value
            return 0
        offset = gpa - self.window - CONFIG_PAGE
        if self.window and 0 <= offset < CONFIG_PAGE:
            if self.slot in self.functions and not self.gone:
                self.functions[self.slot].write(offset, size, value)
            return self.config_write_ns
        for function in self.functions.values():
            for window in function.windows():
                if window.base <= gpa < window.base + window.size_bytes:
                    function.bar_write(window.bar, gpa - window.base, size, value)
        return 0

    # --- what the host does by itself ---

    def post(self, message: bytes) -> None:
        """A control message into the guest's SynIC slot."""
        header = bytes([1, 0, 0, 0, len(message)]).ljust(16, b"\0")
        self.vmbus.synic_message(VpIndex(0), header + message)

    def offer(self) -> None:
        """Offer the one channel there is."""
        offer = control.VmbusChannelOffer(if_type=HV_PCIE_GUID, if_instance=INSTANCE)
        self.post(
            control.VmbusChannelOfferChannel(
                offer=offer, child_relid=RELID, connection_id=0x100 + RELID
            ).build()
        )

    def rescind(self) -> None:
        """Take the channel back; nothing is read from its ring any more."""
        self._rings = None
        self.gone = True
        self.post(control.VmbusChannelRescindOffer(child_relid=RELID).build())

    def send(self, payload: bytes, *, trans_id: int = 0, kind: int = VM_PKT_DATA_INBAND) -> None:
        """A packet to the guest, and the event if its ring was empty."""
        assert self._rings is not None
        if self._rings[1].write(kind, 0, trans_id, payload):
            self.vmbus.synic_event(VpIndex(0), RELID)

    def relations(self, *wslots: int) -> None:
        """The list of functions, in the dialect's form."""
        self.send(self.relations_payload(*wslots))

    def relations_payload(self, *wslots: int) -> bytes:
        """The bytes of :meth:`relations`."""
        if self.dialect.bus_relations is PciBusRelations2:
            entries2 = tuple(
                PciFunctionDescription2(**self._identity(wslot), flags=1, virtual_numa_node=1)
                for wslot in wslots
            )
            return PciBusRelations2(device_count=len(wslots), func=entries2).build()
        entries = tuple(PciFunctionDescription(**self._identity(wslot)) for wslot in wslots)
        return PciBusRelations(device_count=len(wslots), func=entries).build()

    def _identity(self, wslot: int) -> dict[str, int]:
        profile = self.functions[wslot].profile if wslot in self.functions else NVME_SSD
        serial = self.serials.get(wslot, 0x1000 + wslot)
        return {**profile.identity._asdict(), "win_slot": wslot, "ser": serial}

    def eject(self, wslot: int = 0) -> None:
        """Ask for a function back."""
        self.send(PciDevIncoming(message_type=MessageType.PCI_EJECT, wslot=wslot).build())

    # --- the channel ---

    def _later(self, action: Callable[[], None]) -> None:
        self.engine.later((REPLY_NS, REPLY_NS), "host", action)

    def _take_control(self, payload: bytes, _vp: VpIndex) -> None:
        header = control.VmbusChannelMessageHeader.parse(payload)
        kind = ChannelMessageType(header.msgtype)
        self.posted.append(kind)
        reply = self._control_reply(kind, payload)
        if reply is not None:
            self._later(lambda: self.post(reply))

    def _control_reply(self, kind: ChannelMessageType, payload: bytes) -> bytes | None:
        if kind is ChannelMessageType.CHANNELMSG_GPADL_HEADER:
            header = control.VmbusChannelGpadlHeader.parse(payload)
            self._gpadls[header.gpadl] = header.range[0].pfn_array[0] * 4096
            created = control.VmbusChannelGpadlCreated(child_relid=RELID, gpadl=header.gpadl)
            return created.build()
        if kind is ChannelMessageType.CHANNELMSG_OPENCHANNEL:
            opened = control.VmbusChannelOpenChannel.parse(payload)
            gpa = self._gpadls[opened.ringbuffer_gpadlhandle]
            split = opened.downstream_ringbuffer_pageoffset * 4096
            block = self.memory.window(gpa, 2 * split)
            self._rings = Ring(block[:split]), Ring(block[split:])
            return control.VmbusChannelOpenResult(child_relid=RELID, openid=RELID).build()
        if kind is ChannelMessageType.CHANNELMSG_CLOSECHANNEL:
            self._rings = None
        if kind is ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN:
            teardown = control.VmbusChannelGpadlTeardown.parse(payload)
            return control.VmbusChannelGpadlTorndown(gpadl=teardown.gpadl).build()
        return None

    def _drain(self) -> None:
        while self._rings is not None:
            packet = self._rings[0].read()
            if packet is None:
                return
            self._take_packet(packet)

    def _take_packet(self, packet: Packet) -> None:
        payload = packet.payload
        self.received.append(payload)
        kind = MessageType(message_type(payload))
        reply = self._reply(kind, payload)
        if reply is not None and packet.flags and kind not in self.silent:
            self.send(reply, trans_id=packet.transaction_id, kind=VM_PKT_COMP)
        if kind is MessageType.PCI_QUERY_BUS_RELATIONS and kind not in self.silent:
            self.relations(*self.functions)

    def _status(self, kind: MessageType) -> int:
        queued = self.statuses.get(kind)
        return queued.pop(0) if queued else 0

    def _reply(self, kind: MessageType, payload: bytes) -> bytes | None:
        if kind in self.answers:
            return self.answers[kind](payload)
        status = self._status(kind)
        if kind is MessageType.PCI_QUERY_PROTOCOL_VERSION:
            wanted = PciVersionRequest.parse(payload).protocol_version
            if status == 0 and wanted != self.dialect.version:
                status = 0xC0000059 - (1 << 32)
        if kind is MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS:
            function = self.functions[PciChildMessage.parse(payload).wslot]
            return PciQResReqResponse(status, function.probed_bars()).build()
        if kind is MessageType.PCI_BUS_D0ENTRY and status == 0:
            self.window = PciBusD0Entry.parse(payload).mmio_base
        if kind is MessageType.PCI_READ_BLOCK:
            wanted_block = PciReadBlock.parse(payload)
            data = self.blocks.get(wanted_block.block_id, b"")[: wanted_block.bytes_requested]
            return PciReadBlockResponse(status & 0xFFFF_FFFF, data).build()
        if message_name(payload).startswith("PCI_CREATE_INTERRUPT"):
            self._data += 0x10
            count = int.from_bytes(payload[10:12] if payload[12] != 0 else payload[14:16], "little")
            desc = TranIntDesc(vector_count=max(count, 1), data=self._data, address=MSI_ADDRESS)
            return PciCreateIntResponse(status=status, int_desc=desc).build()
        return PciResponse(status).build()

    @property
    def names(self) -> list[str]:
        """What came through the ring, by name, without the prefix."""
        return [message_name(payload).removeprefix("PCI_") for payload in self.received]


class Story:
    """One world: an engine, a kernel with VMBus, PCI core and driver, and the fake host."""

    def __init__(
        self,
        *,
        version: int = 0x10004,
        cpus: int = 1,
        chooser: Chooser | None = None,
        profiles: Sequence[DeviceProfile] = (NVME_SSD,),
        driver: type[HvPciDriver] = HvPciDriver,
        numa: NumaNodes = ONE_NODE,
        **options: Any,
    ) -> None:
        self.engine = Engine(chooser)
        memory = PhysicalMemory()
        self.host = FakeHost(self.engine, memory, VPCI_DIALECTS[version])
        self.events: list[object] = []
        self.kernel = Kernel(
            port=self.host,
            scheduler=self.engine,
            vp_numbers=range(cpus),
            emit=self.events.append,
            memory=memory,
            numa=numa,
        )
        self.engine.attach(self.kernel)
        mmio = VmbusMmio(self.kernel, (LOW_MMIO, HIGH_MMIO), None)
        self.vmbus = VmbusConnection(self.kernel, versions=(0x50003,), mmio=mmio)
        self.host.vmbus = self.vmbus
        self.pci = PciSubsystem(self.kernel)
        self.driver = driver(self.kernel, self.vmbus, self.pci, X86Arch(), **options)
        self.kernel.spawn_thread("init", self.driver.init_hv_pci_drv())
        self.engine.run()
        for wslot, profile in enumerate(profiles):
            self.host.functions[wslot] = Function(profile)
        self._blocks_of_vmbus = memory.blocks

    def run(self) -> Self:
        """Until nothing is left to do."""
        self.engine.run()
        return self

    def arrive(self) -> Self:
        """The offer, and all that follows from it."""
        self.host.offer()
        return self.run()

    def thread(self, body: Coroutine[Any, Any, Any], cpu: int = 0) -> None:
        """Run ``body`` as a guest thread to its end."""
        self.kernel.spawn_thread("story", body, cpu)
        self.run()

    @property
    def hdev(self) -> HvDevice:
        """The VMBus device of the channel."""
        device = next(iter(self.vmbus.channels.values())).device_obj
        assert device is not None
        return device

    @property
    def hbus(self) -> HvPciBus:
        """The driver's bus."""
        bus = self.hdev.drvdata
        assert isinstance(bus, HvPciBus)
        return bus

    @property
    def devices(self) -> list[PciDev]:
        """The PCI devices that exist."""
        return list(self.pci.devices.values())

    @property
    def ring_blocks(self) -> int:
        """Blocks of guest pages that were taken since VMBus was set up."""
        return self.kernel.memory.blocks - self._blocks_of_vmbus

    def returned(self, function: str) -> list[int]:
        """What that function returned, each time it said so."""
        return [
            event.errno
            for event in self.events
            if isinstance(event, FunctionReturned) and event.function == function
        ]

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def leaks(self) -> dict[str, int]:
        """Objects that nobody can reach any more."""
        return leaks.unreachable(self.kernel.heap, (self.vmbus, self.pci, self.driver))
