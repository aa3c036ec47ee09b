/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of function drivers on the kernel's own PCI functions; guest/drivers/steps.py says what
 * each is. Results are 0 or a negative errno.
 */
#include <linux/io.h>

#include "drivers.h"

static int enable_device(struct vx_instance *self, const struct vx_step *step)
{
	return pci_enable_device(self->dev);
}

static int disable_device(struct vx_instance *self, const struct vx_step *step)
{
	if (pci_is_enabled(self->dev)) /* a resume that failed has left it disabled */
		pci_disable_device(self->dev);
	return 0;
}

static int set_master(struct vx_instance *self, const struct vx_step *step)
{
	pci_set_master(self->dev);
	return 0;
}

static void __iomem *register_of(struct vx_instance *self, const struct vx_step *step)
{
	return ioremap(pci_resource_start(self->dev, step->a) + step->b, 4);
}

static int check_alive(struct vx_instance *self, const struct vx_step *step)
{
	return readl(register_of(self, step)) == ~0u ? -ENODEV : 0;
}

static int write_register(struct vx_instance *self, const struct vx_step *step)
{
	writel(step->c, register_of(self, step));
	return 0;
}

static int submit_and_wait(struct vx_instance *self, const struct vx_step *step)
{
	return vx_run_commands(self, self->choice->rounds, step->a);
}

static int stop_io(struct vx_instance *self, const struct vx_step *step)
{
	self->stopping = true;
	vx_point("stop-io", NULL);
	while (self->under_way)
		wait_for_completion(&self->idle);
	return 0;
}

static int start_io(struct vx_instance *self, const struct vx_step *step)
{
	self->stopping = false;
	return 0;
}

static int dawdle(struct vx_instance *self, const struct vx_step *step)
{
	if (self->choice->remove_ms)
		msleep(self->choice->remove_ms);
	return 0;
}

const vx_operation vx_operations[OPS] = {
	[OP_ENABLE_DEVICE] = enable_device,
	[OP_DISABLE_DEVICE] = disable_device,
	[OP_SET_MASTER] = set_master,
	[OP_CHECK_ALIVE] = check_alive,
	[OP_WRITE_REGISTER] = write_register,
	[OP_ALLOC_VECTORS] = vx_alloc_vectors,
	[OP_FREE_VECTORS] = vx_free_vectors,
	[OP_REQUEST_IRQS] = vx_request_irqs,
	[OP_FREE_IRQS] = vx_free_irqs,
	[OP_SUBMIT_AND_WAIT] = submit_and_wait,
	[OP_READ_BLOCK] = vx_read_block_step,
	[OP_WRITE_BLOCK] = vx_write_block_step,
	[OP_REGISTER_INVALIDATE] = vx_register_invalidate,
	[OP_UNREGISTER_INVALIDATE] = vx_unregister_invalidate,
	[OP_STOP_IO] = stop_io,
	[OP_DAWDLE] = dawdle,
	[OP_START_IO] = start_io,
};

/* --- what users make a driver do --- */

bool vx_use_begins(struct pci_dev *dev)
{
	struct vx_instance *self = pci_get_drvdata(dev);

	if (!self || self->stopping)
		return false;
	self->under_way++;
	return true;
}

void vx_use_ends(struct pci_dev *dev)
{
	struct vx_instance *self = pci_get_drvdata(dev);

	self->under_way--;
	if (self->stopping && !self->under_way)
		complete(&self->idle);
}

/* One command per queue and round: 0, -ENODEV once the driver is stopping, or -EIO. */
int vx_submit(struct pci_dev *dev, u32 rounds, u32 timeout_ms)
{
	int ret;

	if (!vx_use_begins(dev))
		return -ENODEV;
	ret = vx_run_commands(pci_get_drvdata(dev), rounds, timeout_ms);
	vx_use_ends(dev);
	return ret;
}
