# SPDX-License-Identifier: MIT
"""Hardware queues with managed vectors, when CPUs come and go: block/blk-mq.c.

A queue whose last CPU goes takes no more commands and waits for those it has, for its interrupt is
about to be shut down. Knows no command and no register.
"""

from __future__ import annotations

from functools import partial

from guest.drivers.instance import FunctionInstance
from guest.kernel import ops
from guest.kernel.cpu_hotplug import CpuhpState, CpuhpStep
from guest.kernel.irq_core import IrqCore
from guest.pci_core.msi import pci_irq_vector

DRAIN_POLL_MS = 5


def vectors_of(instance: FunctionInstance) -> list[int]:
    """The interrupt of each queue."""
    return [pci_irq_vector(instance.dev, queue) for queue in range(instance.queues)]


async def watch_cpus(irqs: IrqCore, instance: FunctionInstance) -> None:
    """blk_mq_add_hw_queues_cpuhp(): be told of CPUs from now on."""
    hotplug = irqs.kernel.hotplug
    await hotplug.lock.down_read()
    online = irqs.kernel.cpu_online_mask
    vectors = vectors_of(instance)
    instance.inactive = {irq for irq in vectors if not irqs.descs[irq].affinity & online}
    instance.cpuhp = CpuhpStep(
        CpuhpState.AP_BLK_MQ_ONLINE,
        partial(_notify_online, irqs, instance),
        partial(_notify_offline, irqs, instance),
    )
    hotplug.setup_state(instance.cpuhp)
    hotplug.lock.up_read()


async def forget_cpus(irqs: IrqCore, instance: FunctionInstance) -> None:
    """blk_mq_remove_hw_queues_cpuhp(): waits for a CPU that is on its way."""
    hotplug = irqs.kernel.hotplug
    await hotplug.lock.down_read()
    if instance.cpuhp is not None:
        hotplug.remove_state(instance.cpuhp)
        instance.cpuhp = None
    hotplug.lock.up_read()


async def _notify_offline(irqs: IrqCore, instance: FunctionInstance, cpu: int) -> int:
    """blk_mq_hctx_notify_offline() of each queue."""
    left = irqs.kernel.cpu_online_mask & ~(1 << cpu)
    for irq in vectors_of(instance):
        affinity = irqs.descs[irq].affinity
        if affinity >> cpu & 1 and not affinity & left:
            instance.inactive.add(irq)
            while instance.commands.get(irq):
                await ops.msleep(irqs.kernel, DRAIN_POLL_MS)
    return 0


async def _notify_online(irqs: IrqCore, instance: FunctionInstance, cpu: int) -> int:
    """blk_mq_hctx_notify_online() of each queue."""
    for irq in vectors_of(instance):
        if irqs.descs[irq].affinity >> cpu & 1:
            instance.inactive.discard(irq)
    return 0
