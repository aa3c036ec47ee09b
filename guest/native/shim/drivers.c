/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Function drivers: the step tables of guest/drivers, handed in as numbers, run on the kernel's own
 * PCI, MSI and interrupt functions. Knows no device by name.
 */
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/pci.h>

#include "shim.h"

#define DRIVERS_MAX 8
#define STEPS_MAX 16
#define MATCHES_MAX 4
#define CHOICES_MAX 4096
#define DOORBELL_OFFSET 0x1000
#define DOORBELL_STRIDE 8

/* In the order of guest/drivers/steps.py's table; the binding sends these numbers. */
enum vx_op {
	OP_ENABLE_DEVICE, OP_DISABLE_DEVICE, OP_SET_MASTER, OP_CHECK_ALIVE, OP_WRITE_REGISTER,
	OP_ALLOC_VECTORS, OP_FREE_VECTORS, OP_REQUEST_IRQS, OP_FREE_IRQS, OP_SUBMIT_AND_WAIT,
	OP_READ_BLOCK, OP_WRITE_BLOCK, OP_REGISTER_INVALIDATE, OP_UNREGISTER_INVALIDATE,
	OP_STOP_IO, OP_DAWDLE, OPS,
};

enum vx_spread { SPREAD_OF_TABLE, SPREAD_MANAGED, SPREAD_NONE };

struct vx_step {
	u32 op, undo; /* `undo` is OPS where there is none */
	u64 a, b, c;
};

struct vx_table {
	char name[32];
	u32 probe_count, remove_count, match_count;
	struct vx_step probe[STEPS_MAX], remove[STEPS_MAX];
	struct pci_device_id ids[MATCHES_MAX + 1];
	struct pci_driver driver;
};

struct vx_choice { /* what a scenario says of one function */
	guid_t instance;
	u32 devfn, driver; /* index of its table */
	u32 vectors, rounds, remove_ms, spread;
};

struct instance {
	struct pci_dev *dev;
	const struct vx_choice *choice;
	const struct vx_table *table;
	struct completion done, idle;
	int queues, requested, outstanding, under_way;
	int irqs[64];
	bool stopping;
};

static struct vx_table tables[DRIVERS_MAX];
static struct vx_choice choices[CHOICES_MAX] VX_OWN;
static u32 tables_count, choices_count;

const guid_t *vx_instance_of(struct pci_bus *bus); /* driver.c */

/* --- what the binding hands in before boot --- */

VX_EXPORT u32 vx_add_driver(const char *name)
{
	strscpy(tables[tables_count].name, name, sizeof(tables[0].name));
	return tables_count++;
}

VX_EXPORT void vx_add_match(u32 driver, u32 class_code, u32 class_mask, u32 vendor)
{
	struct vx_table *table = &tables[driver];

	table->ids[table->match_count++] = (struct pci_device_id){
		.vendor = vendor, .device = PCI_ANY_ID, .subvendor = PCI_ANY_ID,
		.subdevice = PCI_ANY_ID, .class = class_code, .class_mask = class_mask,
	};
}

VX_EXPORT void vx_add_step(u32 driver, u32 remove, u32 op, u32 undo, u64 a, u64 b, u64 c)
{
	struct vx_table *table = &tables[driver];
	struct vx_step step = { op, undo, a, b, c };

	if (remove)
		table->remove[table->remove_count++] = step;
	else
		table->probe[table->probe_count++] = step;
}

VX_EXPORT void vx_add_choice(const struct vx_choice *choice)
{
	choices[choices_count++] = *choice;
}

static const struct vx_choice *choice_of(struct pci_dev *dev)
{
	const guid_t *instance = vx_instance_of(dev->bus);
	u32 i;

	for (i = 0; i < choices_count; i++)
		if (choices[i].devfn == dev->devfn && guid_equal(&choices[i].instance, instance))
			return &choices[i];
	return NULL;
}

/* --- steps --- */

static irqreturn_t handle_command(int irq, void *argument)
{
	struct instance *self = argument;

	if (self->outstanding) {
		self->outstanding--;
		complete(&self->done);
	}
	return IRQ_HANDLED;
}

static u64 first_doorbell(struct instance *self, int *count)
{
	struct pci_dev *dev = self->dev;
	u64 first = pci_resource_start(dev, 0) + DOORBELL_OFFSET, end;

	*count = 0;
	if (!pci_resource_flags(dev, 0) || pci_resource_len(dev, 0) <= DOORBELL_OFFSET)
		return 0;
	end = min(first + self->queues * DOORBELL_STRIDE, pci_resource_end(dev, 0) + 1);
	*count = DIV_ROUND_UP(end - first, DOORBELL_STRIDE);
	return first;
}

static int run_commands(struct instance *self, u32 rounds, u32 timeout_ms)
{
	int count, i;
	u64 first = first_doorbell(self, &count);
	void __iomem *doorbells = ioremap(first, count * DOORBELL_STRIDE);

	while (rounds--) {
		self->outstanding += count;
		for (i = 0; i < count; i++)
			writel(1, doorbells + i * DOORBELL_STRIDE);
		for (i = 0; i < count; i++) {
			if (wait_for_completion_timeout(&self->done, msecs_to_jiffies(timeout_ms)))
				continue;
			self->outstanding = 0;
			pci_err(self->dev, "I/O timeout\n");
			return -EIO;
		}
	}
	return 0;
}

static void __iomem *register_at(struct instance *self, const struct vx_step *step)
{
	return ioremap(pci_resource_start(self->dev, step->a) + step->b, 4);
}

static int alloc_vectors(struct instance *self, const struct vx_step *step)
{
	bool managed = self->choice->spread == SPREAD_OF_TABLE ? step->b == SPREAD_MANAGED :
								  self->choice->spread == SPREAD_MANAGED;
	int wanted = self->choice->vectors ? self->choice->vectors : num_online_cpus();
	int ret = pci_alloc_irq_vectors(self->dev, step->a, wanted,
					step->c | (managed ? PCI_IRQ_AFFINITY : 0));

	self->queues = max(ret, 0);
	return min(ret, 0);
}

static void free_irqs(struct instance *self)
{
	while (self->requested)
		free_irq(self->irqs[--self->requested], self);
}

static int request_irqs(struct instance *self, const struct vx_step *step)
{
	int queue, ret;

	for (queue = step->a; queue < min_t(int, step->b, self->queues); queue++) {
		int irq = pci_irq_vector(self->dev, queue);

		ret = request_irq(irq, handle_command, 0, self->table->name, self);
		if (ret < 0) {
			free_irqs(self);
			return ret;
		}
		self->irqs[self->requested++] = irq;
	}
	return 0;
}

static void invalidated(void *context, u64 mask)
{
	vx_log("blocks are stale");
}

static int do_step(struct instance *self, const struct vx_step *step, u32 op)
{
	struct pci_dev *dev = self->dev;
	u8 block[128];
	unsigned int returned;

	switch (op) {
	case OP_ENABLE_DEVICE:
		return pci_enable_device_mem(dev);
	case OP_DISABLE_DEVICE:
		pci_disable_device(dev);
		return 0;
	case OP_SET_MASTER:
		pci_set_master(dev);
		return 0;
	case OP_CHECK_ALIVE:
		return readl(register_at(self, step)) == ~0u ? -ENODEV : 0;
	case OP_WRITE_REGISTER:
		writel(step->c, register_at(self, step));
		return 0;
	case OP_ALLOC_VECTORS:
		return alloc_vectors(self, step);
	case OP_FREE_VECTORS:
		pci_free_irq_vectors(dev);
		return 0;
	case OP_REQUEST_IRQS:
		return request_irqs(self, step);
	case OP_FREE_IRQS:
		free_irqs(self);
		return 0;
	case OP_SUBMIT_AND_WAIT:
		return run_commands(self, self->choice->rounds, step->a);
	case OP_READ_BLOCK:
		hyperv_read_cfg_blk(dev, block, step->b, step->a, &returned);
		return 0;
	case OP_WRITE_BLOCK:
		hyperv_write_cfg_blk(dev, (void *)&step->b, 8, step->a);
		return 0;
	case OP_REGISTER_INVALIDATE:
		return hyperv_reg_block_invalidate(dev, self, invalidated);
	case OP_UNREGISTER_INVALIDATE:
		hyperv_reg_block_invalidate(dev, NULL, NULL);
		return 0;
	case OP_STOP_IO:
		self->stopping = true;
		vx_point("stop-io", NULL);
		while (self->under_way)
			wait_for_completion(&self->idle);
		return 0;
	case OP_DAWDLE:
		if (self->choice->remove_ms)
			msleep(self->choice->remove_ms);
		return 0;
	}
	return -EINVAL;
}

static int step_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	struct vx_table *table = container_of(dev->driver, struct vx_table, driver);
	const struct vx_choice *choice = choice_of(dev);
	struct instance *self;
	u32 i;
	int ret;

	if (!choice || &tables[choice->driver] != table)
		return -ENODEV; /* another driver shall have it: the core asks the next */
	self = kzalloc_node(sizeof(*self), GFP_KERNEL, dev_to_node(&dev->dev));
	if (!self)
		return -ENOMEM;
	self->dev = dev;
	self->choice = choice;
	self->table = table;
	init_completion(&self->done);
	init_completion(&self->idle);
	pci_set_drvdata(dev, self);
	for (i = 0; i < table->probe_count; i++) {
		ret = do_step(self, &table->probe[i], table->probe[i].op);
		if (ret < 0)
			break;
	}
	if (i == table->probe_count)
		return 0;
	while (i--)
		if (table->probe[i].undo != OPS)
			do_step(self, &table->probe[i], table->probe[i].undo);
	kfree(self);
	return ret;
}

static void step_remove(struct pci_dev *dev)
{
	struct instance *self = pci_get_drvdata(dev);
	u32 i;

	for (i = 0; i < self->table->remove_count; i++)
		do_step(self, &self->table->remove[i], self->table->remove[i].op);
	pci_set_drvdata(dev, NULL);
	kfree(self);
}

/* A user's commands; the driver's remove waits for them. */
int vx_submit(struct pci_dev *dev, u32 rounds, u32 timeout_ms)
{
	struct instance *self = pci_get_drvdata(dev);
	int ret;

	if (!self || self->stopping)
		return -ENODEV;
	self->under_way++;
	ret = run_commands(self, rounds, timeout_ms);
	self->under_way--;
	if (self->stopping && !self->under_way)
		complete(&self->idle);
	return ret;
}

static int __init register_drivers(void)
{
	u32 i;

	for (i = 0; i < tables_count; i++) {
		struct pci_driver *driver = &tables[i].driver;
		int ret;

		driver->name = tables[i].name;
		driver->id_table = tables[i].ids;
		driver->probe = step_probe;
		driver->remove = step_remove;
		ret = __pci_register_driver(driver, NULL, tables[i].name);
		if (ret)
			return ret;
	}
	return 0;
}
device_initcall(register_drivers);
