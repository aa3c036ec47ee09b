# SPDX-License-Identifier: MIT
"""One offered vPCI bus: owns its VSP state and its live functions.

The only writer of both. Knows no VMBus message and no hypercall; its rings are the worker's, and
how an effect is carried out is ``host.carry``'s.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from host.assigned import AssignedFunction, Surroundings
from host.carry import CARRY
from host.channel_worker import ChannelWorker
from host.clock import Cancel
from host.config_window import ConfigWindow
from host.deferral import Deferral
from host.function import Function, layout_of
from host.settings import BusConfig, FunctionConfig
from host.vsp import FunctionFacts, Vsp, VspState, initial_state
from host.vsp.inputs import Input, RelationsChanged
from protocol.errors import LocalProtocolError
from protocol.ids import RelId, SlotNumber, TransactionId, logical_device_id, wslot_to_devfn

FUNCTION_BITS: Final = 7  # the PCI function number within a devfn
PLACES_KEPT: Final = 256  # more functions than the largest built-in scenario has


class VpciBus:
    """A bus from its offer to its rescind; a re-offer is another one.

    ``on_rescind`` is the partition's way to withdraw the offer.
    ``functions`` are the live ones by slot; ``state`` is the VSP's. Others read, never write.
    ``kept`` has by message type the id of the request that an armed fault met last, ``deferral``
    what the functions put off.
    """

    __slots__ = (
        "_inbox",
        "_on_rescind",
        "_step",
        "_stepping",
        "around",
        "config",
        "deferral",
        "functions",
        "kept",
        "name",
        "relid",
        "state",
        "timers",
        "window",
        "worker",
    )

    def __init__(
        self,
        config: BusConfig,
        vsp: Vsp,
        around: Surroundings,
        *,
        relid: RelId,
        on_rescind: Callable[["VpciBus"], None],
    ) -> None:
        self.config = config
        self.name = config.name
        self.relid = relid
        self.around = around
        self.worker: ChannelWorker | None = None
        self.kept: dict[int, TransactionId] = {}
        self.timers: dict[tuple[str, int], Cancel] = {}
        self.functions: dict[int, AssignedFunction] = {}
        knobs = vsp.rules.knobs
        self.deferral = Deferral(
            config.name, around.clock, around.emit, around.read_hold, knobs.access_patience_ns
        )
        self.window = ConfigWindow(config.name, self.functions, knobs, around.emit, self.deferral)
        self._step = vsp.begin_life()
        self._on_rescind = on_rescind
        self._inbox: list[Input] = []
        self._stepping = False
        present = [function for function in config.functions if function.present]
        self.state: VspState = initial_state(tuple(self._add(f) for f in present))

    # Inputs

    def feed(self, input_: Input) -> None:
        """Step the VSP and carry out what it asks, results included.

        Raises LocalProtocolError if the tables do not allow the input; nothing has changed then.
        """
        inbox = self._inbox
        if self._stepping:
            inbox.append(input_)
            return
        self._stepping = True
        step = self._step
        try:
            while True:
                self.state, effects = step(self.state, input_)
                for effect in effects:
                    CARRY[type(effect)](self, effect)
                if not inbox:
                    return
                input_ = inbox.pop(0)
        finally:
            inbox.clear()
            self._stepping = False

    # Outwards

    def rescind(self) -> None:
        """The VSP withdraws the offer."""
        self._on_rescind(self)

    def drop_worker(self) -> None:
        """The rings are not ours any more."""
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    # Functions

    def reset(self) -> None:
        """The machine is off: every function comes out of reset when it is on again.

        What the conversation had reached is untouched: closing the channel has seen to that.
        """
        for function in self.functions.values():
            function.reset()

    def change_relations(self, wslots: tuple[int, ...]) -> None:
        """Make the bus hold these slots' functions, as configured.

        Raises ValueError for other slots, LocalProtocolError where the tables do not allow it.
        """
        configured = {function.wslot: function for function in self.config.functions}
        unknown = [slot for slot in wslots if slot not in configured]
        if unknown:
            raise ValueError(f"{self.name} has no function for slot {unknown[0]:#x}")
        current = {function.facts.wslot: function.facts for function in self.state.functions}
        slots = [SlotNumber(slot) for slot in sorted(set(wslots))]
        added = {slot: self._add(configured[slot]) for slot in slots if slot not in current}
        try:
            self.feed(RelationsChanged(tuple(current.get(slot) or added[slot] for slot in slots)))
        except LocalProtocolError:
            for slot in added:
                self.functions.pop(slot).release()
            raise

    def _add(self, config: FunctionConfig) -> FunctionFacts:
        """Bring a configured function to life and say who it is."""
        place = _place(self.config, config)
        function = Function(config.profile)
        if place.has_siblings:
            function.mark_multifunction()
        self.functions[config.wslot] = AssignedFunction(
            self.around,
            function,
            bus=self.name,
            wslot=config.wslot,
            device_id=place.device_id,
        )
        return place.facts


class _Place(msgspec.Struct, frozen=True):
    """What a configured function is on its bus, each time it comes to life."""

    facts: FunctionFacts
    device_id: int
    has_siblings: bool


@lru_cache(maxsize=PLACES_KEPT)
def _place(bus: BusConfig, config: FunctionConfig) -> _Place:
    layout = layout_of(config.profile)
    devfn = wslot_to_devfn(config.wslot)
    number = devfn & FUNCTION_BITS
    others = (wslot_to_devfn(f.wslot) for f in bus.functions if f is not config)
    facts = FunctionFacts(
        config.wslot,
        *layout.identity,
        ser=bus.instance_id.time_low if config.serial is None else config.serial,
        probed_bars=layout.probed,
        numa_node=config.numa_node,
    )
    return _Place(
        facts,
        device_id=logical_device_id(bus.instance_id, number),
        has_siblings=not number and any(other >> 3 == devfn >> 3 for other in others),
    )
