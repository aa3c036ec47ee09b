# SPDX-License-Identifier: MIT
"""Whatever a guest writes and an administrator does, the partition answers and keeps its books."""

import contextlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from host.profiles import PROFILES
from host.settings import PartitionConfig
from host.vsp import Phase
from protocol.errors import LocalProtocolError
from protocol.ids import RelId, VpIndex
from protocol.vpci import PciEjectResponse
from tests.host.fakes import FakeGuest, bus
from tests.host.test_partition import BAR, CONFIG, WINDOW, arrive
from tests.host.test_vsp_properties import damaged, random_bytes, well_formed

Action = Callable[[FakeGuest, RelId], object]

OFFSETS = st.sampled_from([0x0, 0x4, 0x6, 0x10, 0x14, 0x50, 0x52, 0x54, 0xB0, 0xB2, 0xFFC, 0xFFF])
SIZES = st.sampled_from([1, 2, 4, 8])
BASES = st.sampled_from([WINDOW, CONFIG, BAR, BAR + 0x1000, BAR + 0x2000, 0])
VALUES = st.one_of(st.sampled_from([0, 2, 6, 0xFFFF_FFFF, BAR & 0xFFFF_FFFF]), st.integers(0, 255))


def admin(verb: str, *arguments: object) -> Action:
    """An administrator's step; what the tables do not allow now is refused, which is fine."""

    def act(guest: FakeGuest, _relid: RelId) -> None:
        with contextlib.suppress(LocalProtocolError, ValueError):
            getattr(guest.partition, verb)("nvme0", *arguments)

    return act


def packet(payload: bytes, *, completion: bool) -> Action:
    def act(guest: FakeGuest, relid: RelId) -> None:
        if guest.rings(relid).to_host.has_room(len(payload)):
            guest.write(relid, payload, completion=completion)

    return act


actions = st.one_of(
    st.builds(
        lambda payload, wants: packet(payload, completion=wants),
        st.one_of(well_formed, random_bytes, damaged),
        st.booleans(),
    ),
    st.builds(
        lambda base, offset, size: lambda g, _: g.partition.mmio_read(base + offset, size),
        BASES,
        OFFSETS,
        SIZES,
    ),
    st.builds(
        lambda base, offset, size, value: (
            lambda g, _: g.partition.mmio_write(base + offset, size, value & (1 << 8 * size) - 1)
        ),
        BASES,
        OFFSETS,
        SIZES,
        VALUES,
    ),
    st.builds(
        lambda control, data: lambda g, _: g.partition.hypercall(VpIndex(0), control, data),
        st.sampled_from([0x5C, 0x5D | 1 << 16, 0x7E, 0x7E | 2 << 17, 0x106, 0x107, 0x999]),
        st.binary(max_size=300),
    ),
    st.sampled_from(
        [
            admin("eject", 0),
            admin("eject", 1),
            admin("relations", ()),
            admin("relations", (0, 1)),
            admin("invalidate_block", 0, 3),
            admin("stall", 1_000_000),
            admin("fail_next", "PCI_BUS_D0EXIT", 0xC000_00B5),
            packet(PciEjectResponse().build(), completion=False),
            lambda guest, _: guest.partition.raise_interrupt("nvme0", 0, 0),
            lambda guest, relid: guest.read(relid),
            lambda guest, _: guest.clock.pass_time(300_000),
            lambda guest, relid: guest.close(relid),
        ]
    ),
    st.sampled_from([admin("rescind"), admin("surprise_remove")]),
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(PROFILES)), st.lists(actions, max_size=25))
def test_no_story_crashes_it_and_a_rescind_leaves_nothing_behind(
    profile: str, story: list[Action]
) -> None:
    slots = (0, 1) if profile == "hyperv" else (0,)
    guest = FakeGuest(PartitionConfig((bus(slots=slots),), profile=profile, vcpus=2))
    guest.connect()
    relid = arrive(guest)
    for act in story:
        act(guest, relid)
    guest.clock.run()
    vpci = guest.partition.bus("nvme0")
    assert {f.facts.wslot for f in vpci.state.functions} == set(vpci.functions)
    entries = sum(len(function.interrupts) for function in vpci.state.functions)
    assert sum(guest.partition.hypervisor.pcpu_loads) >= entries
    if vpci.state.phase is not Phase.GONE:
        guest.partition.rescind("nvme0")
    assert vpci.functions == {}
    assert vpci.timers == {}
    assert guest.partition.hypervisor.pcpu_loads == (0,)
    assert guest.partition.mmio_read(BAR, 4) == 0xFFFF_FFFF
    assert guest.partition.mmio_read(CONFIG, 4) == 0xFFFF_FFFF
    reads = guest.rings(relid).to_host.read_index
    guest.signal(relid)
    guest.clock.run()
    assert guest.rings(relid).to_host.read_index == reads
