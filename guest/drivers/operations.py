# SPDX-License-Identifier: MIT
"""The steps of function drivers, one function each: (interrupts, instance, arguments) -> errno.

Results are 0 or a negative errno; what undoes a step is a step of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from errno import EIO, ENODEV

from guest.drivers.blocks import read_block, register_invalidate, unregister_invalidate, write_block
from guest.drivers.instance import FunctionInstance, handle_interrupt
from guest.drivers.queues import forget_cpus, vectors_of, watch_cpus
from guest.drivers.steps import DOORBELL_OFFSET, DOORBELL_STRIDE
from guest.kernel import ops
from guest.kernel.irq_core import IrqCore
from guest.kernel.irq_manage import free_irq, request_irq
from guest.pci_core.enable import pci_disable_device, pci_enable_device, pci_set_master
from guest.pci_core.msi import (
    PCI_IRQ_AFFINITY,
    PCI_IRQ_MSI,
    PCI_IRQ_MSIX,
    pci_alloc_irq_vectors,
    pci_free_irq_vectors,
    pci_irq_vector,
)
from guest.pci_core.regs import ALL_ONES

Args = Mapping[str, int | str]
Operation = Callable[[IrqCore, FunctionInstance, Args], Awaitable[int]]

_KINDS: Mapping[str, int] = {"msix": PCI_IRQ_MSIX, "msi": PCI_IRQ_MSI}


def _doorbells(instance: FunctionInstance) -> range:
    """Addresses of the queues' doorbells, as far as BAR 0 and the MSI-X table leave them room."""
    dev = instance.dev
    bar = dev.resource[0]
    if not bar.flags or bar.size <= DOORBELL_OFFSET:
        return range(0)
    first = bar.start + DOORBELL_OFFSET
    end = min(first + instance.queues * DOORBELL_STRIDE, bar.end + 1)
    if dev.msix_base is not None and dev.msix_base >= first:
        end = min(end, dev.msix_base)
    return range(first, end, DOORBELL_STRIDE)


async def run_commands(instance: FunctionInstance, rounds: int, timeout_ms: int) -> int:
    """Each round rings every queue once and waits for all: a vector never merges with itself."""
    dev = instance.dev
    doorbells = dict(zip(vectors_of(instance), _doorbells(instance), strict=False))
    for _ in range(rounds):
        rung = [irq for irq in doorbells if irq not in instance.inactive]
        for irq in rung:
            instance.commands[irq] = instance.commands.get(irq, 0) + 1
        for irq in rung:
            await dev.kernel.mmio_write(doorbells[irq], 4, 1)
        for _ in rung:
            if not await instance.done.wait_timeout(timeout_ms):
                instance.commands.clear()
                dev.kernel.log("err", f"{dev.name}: I/O timeout")
                return -EIO
    return 0


async def _enable_device(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    return await pci_enable_device(instance.dev)


async def _disable_device(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    if instance.dev.enable_cnt:  # a resume that failed has left it disabled
        await pci_disable_device(instance.dev)
    return 0


async def _set_master(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    await pci_set_master(instance.dev)
    return 0


def _register(instance: FunctionInstance, args: Args) -> int:
    """Guest physical address of ``offset`` in ``bar``."""
    return instance.dev.resource[int(args["bar"])].start + int(args["offset"])


async def _check_alive(_: IrqCore, instance: FunctionInstance, args: Args) -> int:
    value = instance.dev.kernel.mmio_read(_register(instance, args), 4)
    return -ENODEV if value == ALL_ONES else 0


async def _write_register(_: IrqCore, instance: FunctionInstance, args: Args) -> int:
    await instance.dev.kernel.mmio_write(_register(instance, args), 4, int(args["value"]))
    return 0


async def _alloc_vectors(irqs: IrqCore, instance: FunctionInstance, args: Args) -> int:
    dev, options = instance.dev, instance.options
    wanted = int(args.get("max", 0)) or options.vectors or len(dev.kernel.cpus)
    flags = sum(_KINDS[kind] for kind in str(args["kinds"]).split(","))
    if (options.spread or args["spread"]) == "managed":
        flags |= PCI_IRQ_AFFINITY
    ret = await pci_alloc_irq_vectors(irqs, dev, int(args["min"]), wanted, flags)
    instance.queues = max(ret, 0)
    if ret > 0 and flags & PCI_IRQ_AFFINITY:
        await watch_cpus(irqs, instance)
    return min(ret, 0)


async def _free_vectors(irqs: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    await forget_cpus(irqs, instance)
    await pci_free_irq_vectors(irqs, instance.dev)
    return 0


async def _request_irqs(irqs: IrqCore, instance: FunctionInstance, args: Args) -> int:
    dev = instance.dev
    end = min(int(args.get("to", instance.queues)), instance.queues)
    for queue in range(int(args.get("from", 0)), end):
        irq = pci_irq_vector(dev, queue)
        ret = await request_irq(irqs, irq, handle_interrupt, f"{dev.name}-{queue}", instance)
        if ret < 0:
            await _free_irqs(irqs, instance, args)
            return ret
        instance.irqs.append(irq)
    return 0


async def _free_irqs(irqs: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    while instance.irqs:
        await free_irq(irqs, instance.irqs.pop(), instance)
    return 0


async def _submit_and_wait(_: IrqCore, instance: FunctionInstance, args: Args) -> int:
    return await run_commands(instance, instance.options.rounds, int(args["timeout_ms"]))


async def _stop_io(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    instance.stopping = True
    await ops.point(instance.dev.kernel, "stop-io")
    while instance.under_way:
        await instance.idle.wait()
    return 0


async def _start_io(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    instance.stopping = False
    return 0


async def _dawdle(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    if instance.options.remove_ms:
        await ops.msleep(instance.dev.kernel, instance.options.remove_ms)
    return 0


OPERATIONS: Mapping[str, Operation] = {
    "enable-device": _enable_device,
    "disable-device": _disable_device,
    "set-master": _set_master,
    "check-alive": _check_alive,
    "write-register": _write_register,
    "alloc-vectors": _alloc_vectors,
    "free-vectors": _free_vectors,
    "request-irqs": _request_irqs,
    "free-irqs": _free_irqs,
    "submit-and-wait": _submit_and_wait,
    "read-block": read_block,
    "write-block": write_block,
    "register-invalidate": register_invalidate,
    "unregister-invalidate": unregister_invalidate,
    "stop-io": _stop_io,
    "start-io": _start_io,
    "dawdle": _dawdle,
}
