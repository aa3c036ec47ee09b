# SPDX-License-Identifier: MIT
"""Runs the step tables of function drivers in the reference guest. Knows no device by name.

A probe or resume that fails takes back what it had done, last step first; a remove or suspend goes
on to its end whatever happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from errno import ENODEV, ENOMEM
from functools import partial
from typing import TypeVar

from guest.drivers.instance import FunctionInstance
from guest.drivers.operations import OPERATIONS, run_commands
from guest.drivers.registry import matches
from guest.drivers.steps import UNDO, DriverOptions, DriverTable, Step
from guest.kernel.irq_core import IrqCore
from guest.kernel.memory import GFP_KERNEL
from guest.pci_core.types import PciDev

T = TypeVar("T")


class StepDriver:
    """A FunctionDriver made of a table.

    ``claims(dev)`` gives the options for a device, or None if this driver shall not have it; by
    default the table's own matches decide.
    """

    def __init__(
        self,
        table: DriverTable,
        irqs: IrqCore,
        claims: Callable[[PciDev], DriverOptions | None] | None = None,
    ) -> None:
        self.name = table.name
        self.table = table
        self.irqs = irqs
        self._claims = claims or self._by_table

    def _by_table(self, dev: PciDev) -> DriverOptions | None:
        return DriverOptions() if matches(self.table, dev.vendor, dev.class_code) else None

    def match(self, dev: PciDev) -> bool:
        """Whether this driver takes the device."""
        return self._claims(dev) is not None

    async def probe(self, dev: PciDev) -> int:
        """Run the table's probe: 0 or a negative errno."""
        options = self._claims(dev) or DriverOptions()
        dev.kernel.numa.node_data(dev.numa_node)
        instance = await dev.kernel.kzalloc(FunctionInstance, GFP_KERNEL, dev, options)
        if instance is None:
            return -ENOMEM
        dev.drvdata = instance
        ret = await self._run(self.table.probe, instance)
        if ret < 0:
            await self._release(instance)
        return ret

    async def _run(self, steps: Sequence[Step], instance: FunctionInstance) -> int:
        """0 or a negative errno, and then what was done is undone."""
        for index, step in enumerate(steps):
            ret = await OPERATIONS[step.op](self.irqs, instance, step.args)
            if ret < 0:
                await self._unwind(steps[:index], instance)
                return ret
        return 0

    async def _unwind(self, done: Sequence[Step], instance: FunctionInstance) -> None:
        for step in reversed(done):
            if step.op in UNDO:
                await OPERATIONS[UNDO[step.op]](self.irqs, instance, step.args)

    async def remove(self, dev: PciDev) -> None:
        """Run the table's remove."""
        instance = instance_of(dev)
        for step in self.table.remove:
            await OPERATIONS[step.op](self.irqs, instance, step.args)
        await self._release(instance)

    async def suspend(self, dev: PciDev) -> int:
        """Run the table's suspend: 0."""
        instance = instance_of(dev)
        for step in self.table.suspend:
            await OPERATIONS[step.op](self.irqs, instance, step.args)
        return 0

    async def resume(self, dev: PciDev) -> int:
        """Run the table's resume: 0, or a negative errno from a device that is of no use then."""
        return await self._run(self.table.resume, instance_of(dev))

    async def _release(self, instance: FunctionInstance) -> None:
        instance.dev.drvdata = None
        await instance.dev.kernel.kfree(instance)


def instance_of(dev: PciDev) -> FunctionInstance:
    """pci_get_drvdata() of a bound device."""
    assert isinstance(dev.drvdata, FunctionInstance), f"{dev.name} has no step driver"
    return dev.drvdata


async def submit(dev: PciDev, rounds: int, timeout_ms: int) -> int:
    """A user's commands: one per queue and round. 0, -ENODEV once it is stopping, or -EIO."""
    ret = await use(dev, partial(run_commands, instance_of(dev), rounds, timeout_ms))
    return -ENODEV if ret is None else ret


async def use(dev: PciDev, call: Callable[[], Awaitable[T]]) -> T | None:
    """What a user makes the driver do; its remove waits for that. None once it is stopping."""
    instance = instance_of(dev)
    if instance.stopping:
        return None
    instance.under_way += 1
    ret = await call()
    instance.under_way -= 1
    if instance.stopping and not instance.under_way:
        await instance.idle.complete()
    return ret
