/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps that use configuration blocks, and what happens when the host calls one stale: after
 * mlx5/core/lib/hv_vhca.c. The notice comes in the channel's callback, so the blocks are read from
 * an ordered workqueue.
 */
#include <linux/hyperv.h>

#include "drivers.h"

#define BLOCK_BYTES 128 /* HV_CONFIG_BLOCK_SIZE_MAX */
#define INVALIDATED_BLOCKS 64 /* a notice is a mask of 64 bits */

struct invalidate_work {
	struct work_struct work;
	struct vx_instance *instance;
	u64 block_mask;
};

static int read_block(struct vx_instance *self, u32 block, u32 length)
{
	u8 data[BLOCK_BYTES];
	unsigned int returned;

	return hyperv_read_cfg_blk(self->dev, data, length, block, &returned);
}

int vx_read_block_step(struct vx_instance *self, const struct vx_step *step)
{
	int ret = read_block(self, step->a, step->b);

	if (ret < 0)
		pci_warn(self->dev, "reading a block failed: %d\n", ret);
	return 0; /* a driver gets by without one */
}

int vx_write_block_step(struct vx_instance *self, const struct vx_step *step)
{
	u64 value = step->b;
	int ret = hyperv_write_cfg_blk(self->dev, &value, sizeof(value), step->a);

	if (ret < 0)
		pci_warn(self->dev, "writing a block failed: %d\n", ret);
	return 0;
}

static void read_stale_blocks(struct work_struct *item)
{
	struct invalidate_work *work = container_of(item, struct invalidate_work, work);
	u32 block;

	for (block = 0; block < INVALIDATED_BLOCKS; block++)
		if (work->block_mask >> block & 1)
			read_block(work->instance, block, BLOCK_BYTES);
	kfree(work);
}

static void invalidated(void *context, u64 mask)
{
	struct vx_instance *self = context;
	struct invalidate_work *work = kzalloc(sizeof(*work), GFP_ATOMIC);

	vx_tell(BLOCK_INVALIDATED, NULL, vx_relid_of(self->dev->bus), vx_wslot_of(self->dev), mask);
	if (!work)
		return;
	INIT_WORK(&work->work, read_stale_blocks);
	work->instance = self;
	work->block_mask = mask;
	queue_work(self->invalidate_wq, &work->work);
}

int vx_register_invalidate(struct vx_instance *self, const struct vx_step *step)
{
	if (!hvpci_block_ops.reg_blk_invalidate)
		return 0;
	self->invalidate_wq = alloc_ordered_workqueue("hv_vhca_%s", 0, pci_name(self->dev));
	if (!self->invalidate_wq)
		return -ENOMEM;
	return hyperv_reg_block_invalidate(self->dev, self, invalidated);
}

int vx_unregister_invalidate(struct vx_instance *self, const struct vx_step *step)
{
	if (!self->invalidate_wq)
		return 0;
	hyperv_reg_block_invalidate(self->dev, NULL, NULL);
	destroy_workqueue(self->invalidate_wq);
	self->invalidate_wq = NULL;
	return 0;
}
