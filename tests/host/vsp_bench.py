# SPDX-License-Identifier: MIT
"""A VSP on the bench: packets in, effects out, results of effects made up by the test."""

from typing import TypeVar

from msgspec.structs import replace

from host.effects import (
    Complete,
    CreateInterrupts,
    Effect,
    InterruptEntry,
    Report,
    SendPacket,
)
from host.events import HostEvent
from host.knobs import with_knobs
from host.profiles import PROFILES
from host.vsp import FunctionFacts, Phase, Vsp, VspState, initial_state
from host.vsp.inputs import ChannelOpened, Input, InterruptsCreated, PacketReceived
from host.vsp.rules import rules_for
from protocol.codec import WireRecord
from protocol.ids import SlotNumber, TransactionId
from protocol.versions import vpci_dialect
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciMessage,
    PciResponse,
    PciVersionRequest,
    message_name,
)

E = TypeVar("E")
M = MessageType
BAD_DATA = 0xC000_090B
NOT_SUPPORTED = 0xC000_00BB
INVALID_DEVICE_STATE = 0xC000_0184
REVISION_MISMATCH = 0xC000_0059
WINDOW = 0xF800_0000
BAR_64 = (0xFFFF_C004, 0xFFFF_FFFF, 0, 0, 0, 0)  # 16 KiB, 64 bits


def facts(wslot: int = 0, ser: int = 7, numa_node: int | None = None) -> FunctionFacts:
    """A function with one 64-bit BAR of 16 KiB."""
    return FunctionFacts(
        wslot=SlotNumber(wslot),
        v_id=0x144D,
        d_id=0xA80A,
        rev=1,
        prog_intf=2,
        subclass=8,
        base_class=1,
        subsystem_id=0xA801_144D,
        ser=ser,
        probed_bars=BAR_64,
        numa_node=numa_node,
    )


class VspBench:
    """Keeps the state a test steps; answers CreateInterrupts with made-up addresses."""

    def __init__(
        self, profile: str = "hyperv", functions: tuple[FunctionFacts, ...] = (), **knobs: object
    ) -> None:
        table = PROFILES[profile]
        self.vsp = Vsp(table, rules_for("nvme0", with_knobs(table.knobs, knobs)))
        self.state: VspState = initial_state(functions or (facts(),))
        self.effects: tuple[Effect, ...] = ()
        self.refuse_interrupt: int | None = None  # fail the n-th entry of a request
        self._transaction_id = 0
        self._entries = 0

    def feed(self, input_: Input) -> tuple[Effect, ...]:
        """One input, and the results it leads to; all effects so far of this call."""
        self.state, effects = self.vsp.answer(self.state, input_)
        everything = list(effects)
        for effect in effects:
            if isinstance(effect, CreateInterrupts):
                everything += self.feed(self._created(effect))
        self.effects = tuple(everything)
        return self.effects

    def _created(self, effect: CreateInterrupts) -> InterruptsCreated:
        entries: list[InterruptEntry] = []
        for index, request in enumerate(effect.requests):
            if index == self.refuse_interrupt:
                return InterruptsCreated(effect.wslot, effect.ticket, BAD_DATA, tuple(entries))
            address = 0xFEE0_0000 | self._entries << 2
            self._entries += 1
            entries.append(InterruptEntry(address, 0, request.vector_count))
        return InterruptsCreated(effect.wslot, effect.ticket, 0, tuple(entries))

    def open(self) -> "VspBench":
        """The guest opens the channel."""
        self.feed(ChannelOpened())
        return self

    def ask(self, request: WireRecord | bytes) -> bytes | None:
        """A request that wants a completion: its payload, None if there was none."""
        self._transaction_id += 1
        number = TransactionId(self._transaction_id)
        self.feed(PacketReceived(VM_PKT_DATA_INBAND, number, True, padded(request)))
        answers = [e for e in self.effects if isinstance(e, Complete)]
        assert len(answers) <= 1
        if not answers:
            return None
        assert answers[0].transaction_id == number
        return answers[0].payload

    def tell(self, request: WireRecord | bytes) -> None:
        """A packet that wants no completion: there must be none."""
        self.feed(PacketReceived(VM_PKT_DATA_INBAND, TransactionId(0), False, padded(request)))
        assert not [e for e in self.effects if isinstance(e, Complete)]

    def status(self, request: WireRecord | bytes) -> int:
        """The status of a request's completion, unsigned."""
        answer = self.ask(request)
        assert answer is not None
        return PciResponse.parse(answer).status & 0xFFFF_FFFF

    def only(self, kind: type[E]) -> E:
        """The one effect of this kind in the last call."""
        (effect,) = (e for e in self.effects if isinstance(e, kind))
        return effect

    def sent(self) -> list[str]:
        """The names of packets the last call sent."""
        return [message_name(e.payload) for e in self.effects if isinstance(e, SendPacket)]

    def events(self) -> list[HostEvent]:
        """What the last call reported."""
        return [e.event for e in self.effects if isinstance(e, Report)]

    def event_names(self) -> list[str]:
        """The class names of what the last call reported."""
        return [type(event).__name__ for event in self.events()]

    # The guest's usual way, message by message

    def negotiated(self, version: str = "1.4") -> "VspBench":
        """Open and agree on a version."""
        self.open()
        assert self.status(PciVersionRequest(protocol_version=vpci_dialect(version).version)) == 0
        return self

    def in_d0(self, version: str = "1.4") -> "VspBench":
        """Agree, ask for relations, enter D0."""
        self.negotiated(version)
        self.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
        assert self.status(PciBusD0Entry(mmio_base=WINDOW)) == 0
        return self

    def assigned(self, version: str = "1.4") -> "VspBench":
        """As Linux, up to resources assigned for every function."""
        self.in_d0(version)
        for function in self.state.functions:
            slot = function.facts.wslot
            dialect = vpci_dialect(version)
            message = dialect.resources_assigned(dialect.assigned_message, slot)
            assert self.status(message) == 0
        return self


def padded(request: WireRecord | bytes) -> bytes:
    """The payload as it comes out of a ring: zero padding up to 8 bytes."""
    payload = request if isinstance(request, bytes) else request.build()
    return payload + bytes(-len(payload) % 8)


def in_phase(state: VspState, phase: Phase) -> VspState:
    """The state moved to a phase by hand, with a version where one is agreed."""
    version = 0x10004 if phase in (Phase.READY, Phase.IN_D0) else 0
    return replace(state, phase=phase, version=version, powered=phase is Phase.IN_D0)
