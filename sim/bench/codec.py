# SPDX-License-Identifier: MIT
"""How fast the derived codec is beside construct's compiled one. Knows structures, no protocol.

Both are measured in turns, slice by slice, and the best slice of each counts: what else the
machine does then hits both alike.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from protocol.codec import WireRecord
from protocol.derive import as_container
from protocol.hypercall import HvDeviceInterruptTarget, HvRetargetDeviceInterrupt
from protocol.vmbus import (
    GpaRange,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    VmbusChannelOfferChannel,
    VmbusChannelOpenChannel,
)
from protocol.vpci import (
    PciBusD0Entry,
    PciBusRelations2,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciFunctionDescription2,
    PciQResReqResponse,
    PciResourcesAssigned2,
)
from sim.bench.unit import simpy_timeouts_per_s

FUNCTIONS = 21  # of the long relations list
SLICE_S = 0.01
ROUNDS = 7

_FUNCTION = PciFunctionDescription2(v_id=0x1414, d_id=0xB111, subsystem_id=0x21414, ser=7)
SUBJECTS: Sequence[WireRecord] = (
    VmbusChannelInitiateContact(vmbus_version_requested=0x50003, interrupt_page=2),
    VmbusChannelOfferChannel(child_relid=17, connection_id=0x2011),
    VmbusChannelGpadlHeader(
        range_buflen=88, rangecount=1, range=(GpaRange(40_960, 0, tuple(range(10))),)
    ),
    VmbusChannelOpenChannel(child_relid=17, openid=17),
    PciBusRelations2(device_count=FUNCTIONS, func=(_FUNCTION,) * FUNCTIONS),
    PciQResReqResponse(probed_bar=(0xFFFFC004, 0xFFFFFFFF, 0, 0, 0, 0)),
    PciBusD0Entry(mmio_base=0xFF8000000),
    PciResourcesAssigned2(wslot=0x22),
    PciCreateInterrupt3(wslot=0x22),
    PciCreateIntResponse(),
    HvRetargetDeviceInterrupt(int_target=HvDeviceInterruptTarget(0x23, 2, 0, (1, 32))),
)


def rows(slice_s: float = SLICE_S, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """One row per structure: rates per second, ``size`` in bytes without ring descriptor."""
    timeouts = simpy_timeouts_per_s()
    return [
        _row(record, slice_s, rounds) | {"simpy_timeouts_per_s": timeouts} for record in SUBJECTS
    ]


def _row(record: WireRecord, slice_s: float, rounds: int) -> dict[str, Any]:
    data = record.build()
    compiled = record.CONSTRUCT.compile()
    container = as_container(record)
    record.parse(data)  # from here on the generated functions stand in the class
    derived_parse, derived_build = type(record).parse, record.build
    best = _best_rates(
        (
            lambda: derived_parse(data),
            lambda: compiled.parse(data),
            lambda: derived_build(),
            lambda: compiled.build(container),
        ),
        slice_s,
        rounds,
    )
    return {
        "struct": record.KERNEL_NAME,
        "size": len(data),
        "derived_parse_per_s": best[0],
        "construct_parse_per_s": best[1],
        "derived_build_per_s": best[2],
        "construct_build_per_s": best[3],
    }


def _best_rates(calls: Sequence[Callable[[], object]], slice_s: float, rounds: int) -> list[float]:
    """Calls per second of each, its best slice of ``rounds``; the calls take turns."""
    repeats = [max(1, int(slice_s * _rate(call, 3))) for call in calls]
    best = [0.0] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            best[i] = max(best[i], _rate(call, repeats[i]))
    return best


def _rate(call: Callable[[], object], repeats: int) -> float:
    begin = perf_counter()
    for _ in range(repeats):
        call()
    return repeats / (perf_counter() - begin)
