/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands on one PCI function, and the rescan: what its files in sysfs do, and a process that uses it. */
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/pci.h>

#include "drivers.h"
#include "shell.h"

#define COMMAND_TIMEOUT_MS 60000
#define OPEN_MAX 64

static struct open_file { /* the processes' open files keep their devices, removed or not */
	guid_t instance;
	u32 devfn;
	struct pci_dev *dev;
} open_files[OPEN_MAX];

/* With a reference; NULL for a function that is gone. A look without locks: nobody runs meanwhile. */
static struct pci_dev *function_of(const struct vx_command *command)
{
	struct pci_bus *bus;
	struct pci_dev *dev;

	list_for_each_entry(bus, &pci_root_buses, node) {
		if (!guid_equal(vx_instance_of(bus), &command->instance))
			continue;
		list_for_each_entry(dev, &bus->devices, bus_list)
			if (dev->devfn == command->devfn && device_is_registered(&dev->dev))
				return pci_dev_get(dev);
	}
	return NULL;
}

/* rescan_store() of pci-sysfs.c. */
int vx_rescan(struct vx_command *command)
{
	struct pci_bus *bus = NULL;

	pci_lock_rescan_remove();
	while ((bus = pci_find_next_bus(bus)) != NULL)
		pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
	return 0;
}

static int write_driver_file(struct vx_command *command, const char *name)
{
	struct pci_dev *dev = function_of(command);
	int ret = -ENODEV;

	if (!dev)
		return ret;
	if (vx_driver_of(dev))
		ret = vx_write_file(vx_driver_of(dev), name, pci_name(dev));
	pci_dev_put(dev);
	return ret;
}

int vx_bind_function(struct vx_command *command)
{
	return write_driver_file(command, "bind");
}

int vx_unbind_function(struct vx_command *command)
{
	return write_driver_file(command, "unbind");
}

static struct open_file *open_file_of(const struct vx_command *command)
{
	struct open_file *file;

	for (file = open_files; file < open_files + OPEN_MAX; file++)
		if (file->dev && file->devfn == command->devfn &&
		    guid_equal(&file->instance, &command->instance))
			return file;
	return NULL;
}

int vx_open_function(struct vx_command *command)
{
	struct pci_dev *dev = function_of(command);
	struct open_file *file = open_files;

	if (!dev || open_file_of(command)) {
		pci_dev_put(dev);
		return -ENODEV;
	}
	while (file->dev)
		if (++file == open_files + OPEN_MAX)
			vx_finding("hang", "more than %d open files", OPEN_MAX);
	*file = (struct open_file){ .instance = command->instance, .devfn = command->devfn, .dev = dev };
	return 0;
}

int vx_close_function(struct vx_command *command)
{
	struct open_file *file = open_file_of(command);
	struct pci_dev *dev;

	if (!file)
		return -EBADF;
	dev = file->dev;
	file->dev = NULL;
	pci_dev_put(dev);
	return 0;
}

/* Model: a process that uses the device does so through its driver alone: no file holds the device. */
int vx_use_function(struct vx_command *command)
{
	struct pci_dev *dev = function_of(command);

	if (!dev)
		return -ENODEV;
	pci_dev_put(dev);
	return vx_submit(dev, command->a, COMMAND_TIMEOUT_MS);
}

/* write_irq_affinity() of kernel/irq/proc.c; the text has a bit for each CPU, 0 first. */
int vx_set_affinity(struct vx_command *command)
{
	struct pci_dev *dev = function_of(command);
	struct cpumask mask = {};
	unsigned int cpu;
	int irq;

	if (!dev)
		return -ENODEV;
	irq = pci_irq_vector(dev, command->a);
	pci_dev_put(dev);
	if (irq < 0)
		return irq;
	if (!irq_can_set_affinity_usr(irq))
		return -EIO;
	for (cpu = 0; cpu < min(nr_cpu_ids, command->size * 8); cpu++)
		if (command->text[cpu / 8] >> cpu % 8 & 1)
			cpumask_set_cpu(cpu, &mask);
	if (!cpumask_intersects(&mask, cpu_online_mask))
		return -EINVAL;
	return irq_set_affinity(irq, &mask);
}

/* The function driver reads a block of `b` bytes for its user. */
int vx_read_block(struct vx_command *command)
{
	struct pci_dev *dev = function_of(command);
	unsigned int returned;
	u8 block[VX_BLOCK_BYTES_MAX];
	int ret = -ENODEV;

	if (!dev)
		return ret;
	pci_dev_put(dev);
	if (vx_use_begins(dev)) {
		ret = hyperv_read_cfg_blk(dev, block, command->b, command->a, &returned);
		vx_use_ends(dev);
	}
	return ret;
}

int vx_write_block(struct vx_command *command)
{
	struct pci_dev *dev = function_of(command);
	int ret = -ENODEV;

	if (!dev)
		return ret;
	pci_dev_put(dev);
	if (vx_use_begins(dev)) {
		ret = hyperv_write_cfg_blk(dev, command->text, command->size, command->a);
		vx_use_ends(dev);
	}
	return ret;
}
