# SPDX-License-Identifier: MIT
"""The steps that use configuration blocks, and what happens when the host calls one stale.

Model: after mlx5/core/lib/hv_vhca.c. The notice comes in the channel's callback, where nothing may
sleep, so the blocks are read from an ordered workqueue.
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import ENOMEM, EOPNOTSUPP

from guest.drivers.instance import FunctionInstance
from guest.kernel.irq_core import IrqCore
from guest.kernel.memory import GFP_ATOMIC, Allocated
from guest.kernel.work import Work, alloc_ordered_workqueue
from guest.pci_core.ports import BlockOps

BLOCK_BYTES = 128  # HV_CONFIG_BLOCK_SIZE_MAX
INVALIDATED_BLOCKS = 64  # a notice is a mask of 64 bits

Args = Mapping[str, int | str]


class InvalidateWork(Allocated):
    """struct mlx5_hv_vhca_work."""

    __slots__ = ("block_mask", "instance", "work")
    EMBEDDED = ("work",)

    def __init__(self, instance: FunctionInstance, block_mask: int) -> None:
        self.instance = instance
        self.block_mask = block_mask
        self.work = Work("block_invalidate", _invalidate_work, self)


def _block_ops(instance: FunctionInstance) -> BlockOps | None:
    return instance.dev.bus.pci.block_ops


async def _read(instance: FunctionInstance, block: int, length: int) -> int:
    block_ops = _block_ops(instance)
    if block_ops is None:
        return -EOPNOTSUPP
    ret, data = await block_ops.read_block(instance.dev, block, length)
    if ret == 0:
        instance.blocks[block] = data
    return ret


async def read_block(_: IrqCore, instance: FunctionInstance, args: Args) -> int:
    """Read a block; a driver gets by without one."""
    ret = await _read(instance, int(args["block"]), int(args["length"]))
    if ret < 0:
        instance.dev.kernel.log("warn", f"{instance.dev.name}: reading a block failed: {ret}")
    return 0


async def write_block(_: IrqCore, instance: FunctionInstance, args: Args) -> int:
    """Write eight bytes to a block; a driver gets by without that too."""
    block_ops = _block_ops(instance)
    if block_ops is None:
        return 0
    data = int(args["value"]).to_bytes(8, "little")
    ret = await block_ops.write_block(instance.dev, int(args["block"]), data)
    if ret < 0:
        instance.dev.kernel.log("warn", f"{instance.dev.name}: writing a block failed: {ret}")
    return 0


async def register_invalidate(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    """mlx5_hv_vhca_create() and mlx5_hv_register_invalidate(); nothing where no blocks are."""
    block_ops = _block_ops(instance)
    if block_ops is None:
        return 0
    kernel = instance.dev.kernel
    instance.workqueue = await alloc_ordered_workqueue(kernel, f"hv_vhca_{instance.dev.name}")
    if instance.workqueue is None:
        return -ENOMEM
    return await block_ops.reg_blk_invalidate(instance.dev, instance, block_invalidated)


async def unregister_invalidate(_: IrqCore, instance: FunctionInstance, _args: Args) -> int:
    """mlx5_hv_unregister_invalidate(), then wait until no work is left."""
    block_ops = _block_ops(instance)
    if block_ops is None or instance.workqueue is None:
        return 0
    await block_ops.reg_blk_invalidate(instance.dev, None, None)
    await instance.workqueue.destroy()
    instance.workqueue = None
    return 0


async def block_invalidated(context: object, block_mask: int) -> None:
    """mlx5_hv_vhca_invalidate(): called from the channel callback, so it only queues work."""
    assert isinstance(context, FunctionInstance)
    workqueue = context.workqueue
    if workqueue is None:
        return
    work = await context.dev.kernel.kzalloc(InvalidateWork, GFP_ATOMIC, context, block_mask)
    if work is not None:
        await workqueue.queue(work.work)


async def _invalidate_work(item: Work) -> None:
    """mlx5_hv_vhca_invalidate_work()."""
    work = item.owner
    assert isinstance(work, InvalidateWork)
    for block in range(INVALIDATED_BLOCKS):
        if work.block_mask >> block & 1:
            await _read(work.instance, block, BLOCK_BYTES)
    await work.instance.dev.kernel.kfree(work)
