# SPDX-License-Identifier: MIT
"""Which physical CPU takes an interrupt. A host's own choice, and invisible to the guest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from protocol.ids import PcpuId

# (target VP's position, entries per pCPU, pCPU so far or None) -> pCPU
PcpuChoice = Callable[[int, Sequence[int], PcpuId | None], PcpuId]


def pcpu_of_vp(position: int, loads: Sequence[int], current: PcpuId | None) -> PcpuId:
    """The pCPU that the VP is at home on: VPs are dealt out in order."""
    del current
    return PcpuId(position % len(loads))


def first_pcpu(position: int, loads: Sequence[int], current: PcpuId | None) -> PcpuId:
    """All on one: the bottleneck that the comment above hv_compose_msi_req_get_cpu() fears."""
    del position, loads, current
    return PcpuId(0)


def least_loaded_pcpu(position: int, loads: Sequence[int], current: PcpuId | None) -> PcpuId:
    """The one with the fewest entries, lowest number first; costs O(pCPUs)."""
    del position, current
    return PcpuId(loads.index(min(loads)))


def same_pcpu(position: int, loads: Sequence[int], current: PcpuId | None) -> PcpuId:
    """Where it is already."""
    del position, loads
    assert current is not None
    return current


class Placement(NamedTuple):
    """How a host places interrupts on physical CPUs. Invisible to the guest."""

    at_create: PcpuChoice
    at_retarget: PcpuChoice


# Default "create-vp": the comment above hv_compose_msi_req_get_cpu() in pci-hyperv.c says that
# Hyper-V (November 2022) picks the pCPU from the VP in the create message and that the retarget
# hypercall does not pick again; "retarget-vp" is the enhancement it announces. A multi-MSI block
# is created once and so lies on one pCPU, as it says too. How VPs map to pCPUs is not established.
DEFAULT_PLACEMENT: Final = "create-vp"
PLACEMENTS: Final[Mapping[str, Placement]] = {
    "create-vp": Placement(pcpu_of_vp, same_pcpu),
    "retarget-vp": Placement(pcpu_of_vp, pcpu_of_vp),
    "one-pcpu": Placement(first_pcpu, same_pcpu),
    "least-loaded": Placement(least_loaded_pcpu, same_pcpu),
}
