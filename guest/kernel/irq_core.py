# SPDX-License-Identifier: MIT
"""Interrupts of one guest kernel: descriptors, from allocation and activation to their end.

Follows kernel/irq/irqdesc.c, irqdomain.c and msi.c. What drivers call is in ``irq_manage``, what
happens when a vector arrives in ``irq_flow``, whose vectors they are in ``irq_parent``. Knows no
PCI: messages are composed by the chip and written by ``write_msi_msg``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from errno import ENOMEM
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from guest.kernel import irq_hotplug
from guest.kernel.irq import IrqAffinity, IrqData
from guest.kernel.irq_affinity import AffinityRequest, irq_create_affinity_masks
from guest.kernel.irq_apic import ApicDomain
from guest.kernel.irq_chip import NULL_MSI_MSG
from guest.kernel.memory import GFP_KERNEL

if TYPE_CHECKING:
    from guest.kernel.irq_chip import MsiController, MsiMsg
    from guest.kernel.irq_parent import MakeParent
    from guest.kernel.kernel import Kernel

# Below are x86's 24 pins of the I/O APIC. Model: and arm64's timers and the like, at any number.
FIRST_DYNAMIC_IRQ = 24


class IrqCore:
    """Every interrupt descriptor of a kernel, and its vectors."""

    def __init__(
        self,
        kernel: Kernel,
        write_msi_msg: Callable[[IrqData, MsiMsg], Awaitable[None]],
        nodes: Sequence[int] | None = None,
        parent: MakeParent = ApicDomain,
    ) -> None:
        """``nodes``: CPU mask of each NUMA node; default is one node with every CPU.

        ``parent`` makes the architecture's domain below that of the messages.
        ``write_msi_msg`` is irq_chip's irq_write_msi_msg(): puts a composed message in the device.
        """
        everywhere = (1 << len(kernel.cpus)) - 1
        self.kernel = kernel
        self.write_msi_msg = write_msi_msg
        self.default_affinity = everywhere
        self.vectors = parent(self, tuple(nodes or (everywhere,)))
        self.descs: dict[int, IrqData] = {}
        self._free_irqs: list[int] = []  # heap of numbers below _next_irq; may hold stale ones
        self._next_irq = FIRST_DYNAMIC_IRQ
        self._spread: dict[tuple[int, AffinityRequest], list[IrqAffinity] | None] = {}
        irq_hotplug.register(self)

    def create_affinity_masks(self, count: int, affd: AffinityRequest) -> list[IrqAffinity] | None:
        """irq_create_affinity_masks(), remembered: every device of a kind asks for the same."""
        key = (count, affd)
        if key not in self._spread:
            self._spread[key] = irq_create_affinity_masks(count, self.vectors.nodes, affd)
        return self._spread[key]

    def irq_to_desc(self, irq: int) -> IrqData | None:
        """irq_to_desc() and irq_get_irq_data()."""
        return self.descs.get(irq)

    # --- allocation ---

    def _claim_numbers(self, count: int) -> int:
        """The lowest ``count`` consecutive free interrupt numbers."""
        if count == 1 and self._free_irqs:
            return heappop(self._free_irqs)
        base = self._next_irq
        self._next_irq += count
        return base

    async def alloc_irqs(
        self,
        chip: MsiController,
        count: int,
        *,
        hwirq: int,
        node: int,
        affinity: Sequence[IrqAffinity] | None,
    ) -> int:
        """__irq_domain_alloc_irqs(): the first of ``count`` numbers, or a negative errno.

        ``hwirq`` numbers the first of them inside the domain; ``node`` is the device's NUMA node.
        Model: blocks of several are taken from above, never from a gap.
        """
        base = self._claim_numbers(count)
        datas: list[IrqData] = []
        ret = 0
        for index in range(count):
            wanted = affinity[index] if affinity is not None else None
            data = await self._new_desc(chip, base + index, hwirq + index, node, wanted)
            if data is None:
                ret = -ENOMEM
                break
            datas.append(data)
        ret = ret or self.vectors.allocate(datas)
        if ret < 0:
            await self._give_back(datas, base, count)
            return ret
        self.descs.update((data.irq, data) for data in datas)
        return base

    async def _give_back(self, datas: list[IrqData], base: int, count: int) -> None:
        """Undo an allocation. Freeing suspends, so nobody may be given a number before its end."""
        for data in datas:
            await self.kernel.kfree(data)
        for irq in range(base, base + count):
            heappush(self._free_irqs, irq)

    async def _new_desc(
        self, chip: MsiController, irq: int, hwirq: int, node: int, wanted: IrqAffinity | None
    ) -> IrqData | None:
        data = await self.kernel.kzalloc(IrqData, GFP_KERNEL, self.kernel, irq, hwirq, chip)
        if data is None:
            return None
        data.node = node
        data.affinity = self.default_affinity
        if wanted is not None:
            data.affinity = wanted.mask
            data.affinity_set = True
            data.managed = data.managed_shutdown = wanted.managed
            data.node = self._node_of(wanted.mask)
        return data

    def cpu_of_node(self, node: int) -> int | None:
        """The first CPU of cpumask_of_node(); None if there is no such node, or none is online."""
        nodes = self.vectors.nodes
        if not 0 <= node < len(nodes):
            return None
        online = nodes[node] & self.kernel.cpu_online_mask
        return (online & -online).bit_length() - 1 if online else None

    def _node_of(self, mask: int) -> int:
        lowest = mask & -mask
        return next(i for i, node in enumerate(self.vectors.nodes) if node & lowest)

    async def free_irqs(self, base: int, count: int) -> None:
        """irq_domain_free_irqs(): chip first, then vectors, then the descriptors."""
        datas = [self.descs[irq] for irq in range(base, base + count)]
        for data in datas:
            await data.chip.msi_free(data)
        for data in datas:
            del self.descs[data.irq]
            heappush(self._free_irqs, data.irq)
            await self._free_one(data)

    async def _free_one(self, data: IrqData) -> None:
        """Free the vectors and, once nobody looks at it, the descriptor.

        Model: Linux frees it after an RCU grace period, which a running hard interrupt holds off,
        and not before the writes to its files in /proc have ended. Both are counted as readers.
        """
        self.vectors.free(data)
        data.freed = True
        if not data.readers:
            await self.kernel.kfree(data)

    async def release(self, data: IrqData) -> None:
        """Stop looking at a descriptor (``data.readers`` counted us); the last one frees it."""
        data.readers -= 1
        if data.freed and not data.readers:
            await self.kernel.kfree(data)

    # --- activation ---

    async def activate(self, data: IrqData, *, reserve: bool) -> int:
        """irq_domain_activate_irq(): target first, then compose the message and write it.

        Called twice for an unmanaged maskable interrupt: with ``reserve`` when it is allocated
        (the dummy target), and without when it is requested (the real one).
        """
        if not data.activated:
            ret = self.vectors.activate(data, reserve=reserve)
            if ret < 0:
                return ret
            await self.write_msi_msg(data, await data.chip.compose_msi_msg(data))
            data.activated = True
        return 0

    async def deactivate(self, data: IrqData) -> None:
        """irq_domain_deactivate_irq(): a zero message, then the vector goes."""
        if data.activated:
            await self.write_msi_msg(data, NULL_MSI_MSG)
            self.vectors.deactivate(data)
            data.activated = False

    async def early_activate(self, data: IrqData, *, can_reserve: bool) -> int:
        """msi_init_virq(): give the device a message before MSI is switched on.

        With ``can_reserve`` the interrupt keeps only a reservation until it is requested.
        """
        if not can_reserve:
            data.can_reserve = False
            if data.managed and not data.affinity & self.kernel.cpu_online_mask:
                data.managed_shutdown = True
                return 0
        ret = await self.activate(data, reserve=can_reserve)
        if ret == 0 and can_reserve:
            data.activated = False
        return ret

    # --- delivery ---

    def deliver_vector(self, cpu: int, vector: int) -> None:
        """A vector has come in on a CPU; whoever connects the host calls this."""
        self.vectors.deliver(cpu, vector)
