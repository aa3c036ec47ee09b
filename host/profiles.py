# SPDX-License-Identifier: MIT
"""Two kinds of host as tables over the same handlers: what Linux expects of Windows, and OpenVMM.

A row is a phase, a column a message type or an input, a cell the handler. Every message type
stands in every row of a phase whose ring is read: what is refused is refused by name. The
``hyperv`` tables say what Linux's driver relies on; where nothing establishes an answer it is a
knob (``host.knobs``).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from host.knobs import Knobs
from host.vsp import (
    Vsp,
    blocks,
    conversation,
    interrupts,
    openvmm,
    openvmm_interrupts,
    removal,
    resources,
)
from host.vsp.inputs import (
    BlockFetched,
    BlockInvalidated,
    BlockStored,
    ChannelClosed,
    ChannelOpened,
    EjectRequested,
    FaultArmed,
    InterruptsCreated,
    InvalidationDue,
    RelationsChanged,
    RescindRequested,
    ResourcesRead,
    RingBroken,
    SurpriseRemoved,
    TimerExpired,
)
from host.vsp.leftovers import arm_fault, delete_orphans, ignore
from host.vsp.replies import (
    refuse_bad,
    refuse_direction,
    refuse_out_of_order,
    refuse_unsupported,
)
from host.vsp.rules import Handler, InputTable, PacketTable, Profile, rules_for
from host.vsp.state import Phase
from protocol.vmbus import (
    VM_PKT_ADDITIONAL_DATA,
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VM_PKT_INVALID,
)
from protocol.vpci import MessageType as M

CLOSED, FRESH, READY, IN_D0 = Phase.CLOSED, Phase.FRESH, Phase.READY, Phase.IN_D0
STOPPED, GONE = Phase.STOPPED, Phase.GONE

OFFERED: Final = (CLOSED, FRESH, READY, IN_D0, STOPPED)  # all but GONE
OPEN: Final = (FRESH, READY, IN_D0, STOPPED)
AGREED: Final = (READY, IN_D0)
SILENT: Final = (CLOSED, FRESH, STOPPED, GONE)  # the guest and we do not talk

TO_THE_GUEST: Final = (
    M.PCI_BUS_RELATIONS,
    M.PCI_BUS_RELATIONS2,
    M.PCI_EJECT,
    M.PCI_INVALIDATE_BLOCK,
    M.INVALIDATE_DEVICE,
    M.INVALIDATE_BUS,
)
"""Messages a guest never sends."""


FOREIGN_PACKETS: Final = tuple(
    kind for kind in range(VM_PKT_INVALID, VM_PKT_ADDITIONAL_DATA + 1) if kind != VM_PKT_DATA_INBAND
)


def _row(
    listed: Mapping[M, Handler], otherwise: Handler = refuse_out_of_order
) -> Mapping[int, Handler]:
    """A row with every message type in it: those not listed, and not the host's, ``otherwise``."""
    row: dict[int, Handler] = {int(code): otherwise for code in M}
    row.update((int(code), handler) for code, handler in listed.items())
    return MappingProxyType(row)


def _in(phases: Iterable[Phase], handler: Handler) -> dict[Phase, Handler]:
    return dict.fromkeys(phases, handler)


# hyperv: what Linux's driver expects of Windows hosts


_NEVER: Final[dict[M, Handler]] = {
    **dict.fromkeys(TO_THE_GUEST, refuse_direction),
    # Names without a layout in any source we read.
    M.PCI_QUERY_STOP: refuse_unsupported,
    M.PCI_REENABLE: refuse_unsupported,
    M.PCI_QUERY_STOP_FAILED: refuse_unsupported,
    # Known to OpenVMM only, or never sent by Linux.
    M.PCI_QUERY_RESOURCE_RESOURCES: refuse_unsupported,
    M.PCI_RESOURCES_ASSIGNED3: refuse_unsupported,
    M.RESET_DEVICE: refuse_unsupported,
    M.VPCI_TDISP_COMMAND: refuse_unsupported,
}

_WHEN_AGREED: Final[dict[M, Handler]] = {
    **_NEVER,
    M.PCI_QUERY_BUS_RELATIONS: conversation.query_relations,
    M.PCI_QUERY_RESOURCE_REQUIREMENTS: resources.requirements,
    M.PCI_BUS_D0ENTRY: conversation.enter_d0,
    M.PCI_RESOURCES_RELEASED: resources.release_resources,
    M.PCI_DELETE_INTERRUPT_MESSAGE: interrupts.delete_interrupt,
    M.PCI_DELETE_INTERRUPT_MESSAGE2: interrupts.delete_interrupt,
    M.PCI_EJECTION_COMPLETE: removal.eject_complete,
}

HYPERV_PACKETS: Final[PacketTable] = MappingProxyType(
    {
        FRESH: _row({**_NEVER, M.PCI_QUERY_PROTOCOL_VERSION: conversation.negotiate}),
        READY: _row(_WHEN_AGREED),
        IN_D0: _row(
            {
                **_WHEN_AGREED,
                M.PCI_BUS_D0ENTRY: conversation.enter_d0_again,
                M.PCI_BUS_D0EXIT: conversation.exit_d0,
                M.PCI_RESOURCES_ASSIGNED: resources.assign_resources,
                M.PCI_RESOURCES_ASSIGNED2: resources.assign_resources,
                M.PCI_CREATE_INTERRUPT_MESSAGE: interrupts.create_interrupt,
                M.PCI_CREATE_INTERRUPT_MESSAGE2: interrupts.create_interrupt2,
                M.PCI_CREATE_INTERRUPT_MESSAGE3: interrupts.create_interrupt3,
                M.PCI_READ_BLOCK: blocks.read_block,
                M.PCI_WRITE_BLOCK: blocks.write_block,
                M.PCI_POWER_STATE_CHANGE: resources.change_power,
            }
        ),
    }
)

HYPERV_INPUTS: Final[InputTable] = MappingProxyType(
    {
        ChannelOpened: {CLOSED: conversation.open_channel},
        ChannelClosed: {**_in(OPEN, conversation.close_channel), GONE: ignore},
        RingBroken: _in((FRESH, READY, IN_D0), conversation.break_off),
        EjectRequested: {
            **_in((CLOSED, FRESH, STOPPED), removal.withdraw),
            **_in(AGREED, removal.eject),
        },
        RescindRequested: _in(OFFERED, removal.rescind),
        SurpriseRemoved: _in(OFFERED, removal.surprise_removal),
        RelationsChanged: _in(OFFERED, removal.change_relations),
        BlockInvalidated: {
            **_in((CLOSED, FRESH, STOPPED), blocks.forget_invalidation),
            **_in(AGREED, blocks.invalidate_block),
        },
        FaultArmed: _in(OFFERED, arm_fault),
        TimerExpired: {**_in(OFFERED, removal.timer_expired), GONE: ignore},
        InvalidationDue: {**_in(AGREED, blocks.send_invalidation), **_in(SILENT, ignore)},
        InterruptsCreated: {
            **_in(AGREED, interrupts.interrupts_created),
            **_in(SILENT, delete_orphans),
        },
        BlockFetched: {**_in(AGREED, blocks.block_fetched), **_in(SILENT, ignore)},
        BlockStored: {**_in(AGREED, blocks.block_stored), **_in(SILENT, ignore)},
        ResourcesRead: {},  # never asked for
    }
)

HYPERV: Final = Profile(
    name="hyperv",
    knobs=Knobs(),
    packets=HYPERV_PACKETS,
    unknown=dict.fromkeys((FRESH, READY, IN_D0), refuse_bad),
    damaged=dict.fromkeys((FRESH, READY, IN_D0), refuse_bad),
    # Model: vPCI has no use for other packets, and what a Windows host makes of one is not known.
    foreign=dict.fromkeys(FOREIGN_PACKETS, refuse_bad),
    inputs=HYPERV_INPUTS,
)


# openvmm: vpci/src/device.rs at 1488a37b


_OPENVMM_READY: Final = _row(
    {
        M.PCI_QUERY_PROTOCOL_VERSION: openvmm.stop_out_of_order,
        M.PCI_QUERY_BUS_RELATIONS: conversation.query_relations,
        M.PCI_BUS_D0ENTRY: conversation.enter_d0,
        M.PCI_BUS_D0EXIT: conversation.exit_d0,
        M.PCI_QUERY_RESOURCE_REQUIREMENTS: resources.requirements,
        M.PCI_QUERY_RESOURCE_RESOURCES: openvmm.get_resources,
        M.PCI_RESOURCES_ASSIGNED: openvmm.assign_resources,
        M.PCI_RESOURCES_ASSIGNED2: openvmm.assign_resources,
        M.PCI_RESOURCES_ASSIGNED3: openvmm.assign_resources,
        M.PCI_RESOURCES_RELEASED: openvmm.release_resources,
        M.PCI_CREATE_INTERRUPT_MESSAGE: openvmm_interrupts.create_interrupt,
        M.PCI_CREATE_INTERRUPT_MESSAGE2: openvmm_interrupts.create_interrupt2,
        M.PCI_CREATE_INTERRUPT_MESSAGE3: openvmm_interrupts.create_interrupt3,
        M.PCI_DELETE_INTERRUPT_MESSAGE: interrupts.delete_interrupt,
        M.PCI_DELETE_INTERRUPT_MESSAGE2: interrupts.delete_interrupt,
        M.PCI_POWER_STATE_CHANGE: openvmm.change_power,
        M.RESET_DEVICE: openvmm.reset,
        M.VPCI_TDISP_COMMAND: openvmm.tdisp,
    },
    otherwise=refuse_direction,  # types it has no parser for: BAD_DATA
)

OPENVMM_PACKETS: Final[PacketTable] = MappingProxyType(
    {
        FRESH: _row(
            {M.PCI_QUERY_PROTOCOL_VERSION: conversation.negotiate},
            otherwise=openvmm.stop_out_of_order,
        ),
        READY: _OPENVMM_READY,
        IN_D0: _OPENVMM_READY,  # it keeps no power state
    }
)

OPENVMM_INPUTS: Final[InputTable] = MappingProxyType(
    {
        ChannelOpened: {CLOSED: conversation.open_channel},
        ChannelClosed: {**_in(OPEN, openvmm.close_channel), GONE: ignore},
        RingBroken: _in((FRESH, READY, IN_D0), conversation.break_off),
        RescindRequested: _in(OFFERED, removal.rescind),
        SurpriseRemoved: _in(OFFERED, removal.surprise_removal),
        FaultArmed: _in(OFFERED, arm_fault),
        InterruptsCreated: {
            **_in(AGREED, openvmm.created_or_mapped),
            **_in(SILENT, delete_orphans),
        },
        ResourcesRead: {**_in(AGREED, openvmm.resources_read), **_in(SILENT, ignore)},
        # It never ejects, never changes its list, has no blocks and no timer.
        EjectRequested: {},
        RelationsChanged: {},
        BlockInvalidated: {},
        InvalidationDue: {},
        BlockFetched: {},
        BlockStored: {},
        TimerExpired: {},
    }
)

OPENVMM: Final = Profile(
    name="openvmm",
    knobs=Knobs(
        versions=("1.2", "1.3", "1.4", "1.5", "1.6"),
        reply_version="1.3",
        relations_after_d0=True,
        query_relations_completion="empty",
        second_d0_status=0,
        power_survives_close=False,
        d0_exit_releases_resources=False,
        assigned_needs_record_room=False,
        interrupts_need_resources=False,
        zero_vectors_accepted=True,
        max_interrupts=494,
        all_processors_mask=False,
        eject_supported=False,
        surprise_removal_sends_list=False,
        window_must_be_aligned=False,
        last_dword_refused=True,
        unaligned_config_refused=True,
        slot_page_readable=False,
        reply_room_bytes=39_680,
        id_zero_answered=True,
    ),
    packets=OPENVMM_PACKETS,
    unknown={FRESH: openvmm.stop, READY: refuse_bad, IN_D0: refuse_bad},
    damaged={FRESH: openvmm.stop, READY: refuse_bad, IN_D0: refuse_bad},
    foreign={VM_PKT_COMP: openvmm.stop},  # others are read as plain data
    inputs=OPENVMM_INPUTS,
)

PROFILES: Final = MappingProxyType({"hyperv": HYPERV, "openvmm": OPENVMM})

VSPS_KEPT: Final = 64  # one a bus; the largest built-in scenario has as many


@lru_cache(maxsize=VSPS_KEPT)
def vsp_of(profile: str, bus: str, knobs: Knobs) -> Vsp:
    """The VSP of a bus, with what earlier buses of that name asked it. ValueError as
    :func:`rules_for`, KeyError for a profile that is not in ``PROFILES``."""
    return Vsp(PROFILES[profile], rules_for(bus, knobs))
