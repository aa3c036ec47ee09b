/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function driver's queues: a vector and a doorbell each. Ringing it completes one command, whose
 * interrupt comes on the vector. With managed vectors a queue whose last CPU goes takes no more
 * commands, as block/blk-mq.c has it.
 */
#include <linux/cpuhotplug.h>
#include <linux/io.h>
#include <linux/irq.h>

#include "drivers.h"

#define DOORBELL_OFFSET 0x1000 /* guest/drivers/steps.py */
#define DOORBELL_STRIDE 8
#define DRAIN_POLL_MS 5

static irqreturn_t handle_command(int irq, void *argument)
{
	struct vx_instance *self = argument;
	int i;

	for (i = 0; i < self->queues; i++) {
		if (self->queue[i].irq != irq || !self->queue[i].sent)
			continue;
		self->queue[i].sent--;
		complete(&self->done);
		break;
	}
	vx_tell(INTERRUPT_HANDLED, NULL, irq, vx_current->cpu);
	return IRQ_HANDLED;
}

/* As far as BAR 0 and the MSI-X table leave the doorbells room. */
static u64 first_doorbell(struct vx_instance *self, int *count)
{
	struct pci_dev *dev = self->dev;
	u64 first = pci_resource_start(dev, 0) + DOORBELL_OFFSET, end, table;

	*count = 0;
	if (!pci_resource_flags(dev, 0) || pci_resource_len(dev, 0) <= DOORBELL_OFFSET)
		return 0;
	end = min(first + self->queues * DOORBELL_STRIDE, pci_resource_end(dev, 0) + 1);
	table = dev->msix_enabled ? vx_physical(dev->msix_base) : 0;
	if (table >= first)
		end = min(end, table);
	*count = DIV_ROUND_UP(end - first, DOORBELL_STRIDE);
	return first;
}

static void forget_commands(struct vx_instance *self)
{
	int i;

	for (i = 0; i < self->queues; i++)
		self->queue[i].sent = 0;
}

static int run_round(struct vx_instance *self, void __iomem *doorbells, int count, u32 timeout_ms)
{
	int i, rung = 0;

	for (i = 0; i < count; i++)
		if (!self->queue[i].inactive)
			self->queue[i].sent++;
	for (i = 0; i < count; i++) {
		if (self->queue[i].inactive)
			continue;
		writel(1, doorbells + i * DOORBELL_STRIDE);
		rung++;
	}
	while (rung--) {
		if (wait_for_completion_timeout(&self->done, msecs_to_jiffies(timeout_ms)))
			continue;
		forget_commands(self);
		pci_err(self->dev, "I/O timeout\n");
		return -EIO;
	}
	return 0;
}

int vx_run_commands(struct vx_instance *self, u32 rounds, u32 timeout_ms)
{
	int count, ret = 0;
	u64 first = first_doorbell(self, &count);
	void __iomem *doorbells = ioremap(first, count * DOORBELL_STRIDE);

	while (rounds-- && !ret)
		ret = run_round(self, doorbells, count, timeout_ms);
	return ret;
}

/* --- CPUs that come and go --- */

static const struct cpumask *cpus_of_queue(const struct vx_queue_of_device *queue)
{
	return irq_get_affinity_mask(queue->irq);
}

static int queue_online(unsigned int cpu, struct hlist_node *node)
{
	struct vx_instance *self = hlist_entry(node, struct vx_instance, cpuhp);
	int i;

	for (i = 0; i < self->queues; i++)
		if (cpumask_test_cpu(cpu, cpus_of_queue(&self->queue[i])))
			self->queue[i].inactive = false;
	return 0;
}

static bool other_is_online(const struct cpumask *cpus, unsigned int cpu)
{
	unsigned int other;

	for_each_cpu_and(other, cpus, cpu_online_mask)
		if (other != cpu)
			return true;
	return false;
}

static int queue_offline(unsigned int cpu, struct hlist_node *node)
{
	struct vx_instance *self = hlist_entry(node, struct vx_instance, cpuhp);
	int i;

	for (i = 0; i < self->queues; i++) {
		struct vx_queue_of_device *queue = &self->queue[i];
		const struct cpumask *cpus = cpus_of_queue(queue);

		if (!cpumask_test_cpu(cpu, cpus) || other_is_online(cpus, cpu))
			continue;
		queue->inactive = true;
		while (queue->sent)
			msleep(DRAIN_POLL_MS);
	}
	return 0;
}

static void watch_cpus(struct vx_instance *self)
{
	int i;

	for (i = 0; i < self->queues; i++)
		self->queue[i].inactive =
			!cpumask_intersects(cpus_of_queue(&self->queue[i]), cpu_online_mask);
	cpuhp_state_add_instance_nocalls(CPUHP_AP_BLK_MQ_ONLINE, &self->cpuhp);
	self->watches_cpus = true;
}

static int __init tell_of_cpus(void)
{
	return cpuhp_setup_state_multi(CPUHP_AP_BLK_MQ_ONLINE, "block/mq:online", queue_online,
				       queue_offline);
}
core_initcall(tell_of_cpus);

/* --- vectors --- */

int vx_alloc_vectors(struct vx_instance *self, const struct vx_step *step)
{
	const struct vx_choice *choice = self->choice;
	u32 spread = choice->spread == SPREAD_OF_TABLE ? step->b : choice->spread;
	unsigned int flags = step->c | (spread == SPREAD_MANAGED ? PCI_IRQ_AFFINITY : 0);
	int wanted = step->d ?: choice->vectors ?: nr_cpu_ids, i;
	int got = pci_alloc_irq_vectors(self->dev, step->a, wanted, flags);

	if (got < 0)
		return got;
	self->queue = kcalloc(got, sizeof(*self->queue), GFP_KERNEL);
	if (!self->queue) {
		pci_free_irq_vectors(self->dev);
		return -ENOMEM;
	}
	self->queues = got;
	for (i = 0; i < got; i++) {
		self->queue[i].irq = pci_irq_vector(self->dev, i);
		snprintf(self->queue[i].name, sizeof(self->queue[i].name), "%s-%d",
			 pci_name(self->dev), i);
	}
	if (flags & PCI_IRQ_AFFINITY)
		watch_cpus(self);
	return 0;
}

int vx_free_vectors(struct vx_instance *self, const struct vx_step *step)
{
	if (self->watches_cpus)
		cpuhp_state_remove_instance_nocalls(CPUHP_AP_BLK_MQ_ONLINE, &self->cpuhp);
	self->watches_cpus = false;
	pci_free_irq_vectors(self->dev);
	kfree(self->queue);
	self->queue = NULL;
	self->queues = 0;
	return 0;
}

int vx_free_irqs(struct vx_instance *self, const struct vx_step *step)
{
	int i;

	for (i = self->queues; i--;) {
		if (self->queue[i].requested)
			free_irq(self->queue[i].irq, self);
		self->queue[i].requested = false;
	}
	return 0;
}

int vx_request_irqs(struct vx_instance *self, const struct vx_step *step)
{
	int i, ret;

	for (i = step->a; i < min_t(int, step->b, self->queues); i++) {
		struct vx_queue_of_device *queue = &self->queue[i];

		ret = request_irq(queue->irq, handle_command, 0, queue->name, self);
		if (ret < 0) {
			vx_free_irqs(self, step);
			return ret;
		}
		queue->requested = true;
	}
	return 0;
}
