/* SPDX-License-Identifier: GPL-2.0-only */
/* What somebody with a shell in the guest does, each as a thread: the kernel's side of sysfs files. */
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/pci.h>

#include "shim.h"

enum vx_command { /* guest/native/shell.py sends these numbers */
	VX_UNLOAD, VX_LOAD, VX_RESCAN, VX_BIND, VX_UNBIND, VX_SUBMIT, VX_SET_AFFINITY,
	VX_READ_BLOCK, VX_WRITE_BLOCK,
};

struct command {
	u32 what, devfn;
	guid_t instance;
	u64 a, b;
};

const guid_t *vx_instance_of(struct pci_bus *bus);
int vx_load_driver(void);
void vx_unload_driver(void);
int vx_submit(struct pci_dev *dev, u32 rounds, u32 timeout_ms);

/* With a reference, as sysfs holds one while a file is written; NULL for a function that is gone. */
static struct pci_dev *function_of(const struct command *command)
{
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev)
		if (dev->devfn == command->devfn &&
		    guid_equal(vx_instance_of(dev->bus), &command->instance))
			return dev;
	return NULL;
}

static void rescan(void)
{
	struct pci_bus *bus = NULL;

	pci_lock_rescan_remove();
	while ((bus = pci_find_next_bus(bus)) != NULL)
		pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
}

static void set_affinity(struct pci_dev *dev, u32 vector, u64 cpus)
{
	struct cpumask mask = {};
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (cpus >> cpu & 1)
			cpumask_set_cpu(cpu, &mask);
	irq_set_affinity(pci_irq_vector(dev, vector), &mask);
}

static void do_to_function(const struct command *command, struct pci_dev *dev)
{
	u8 block[128];
	unsigned int returned;

	switch (command->what) {
	case VX_BIND:
		if (device_attach(&dev->dev) < 0)
			vx_log("bind failed");
		break;
	case VX_UNBIND:
		device_release_driver(&dev->dev);
		break;
	case VX_SUBMIT:
		vx_submit(dev, command->a, 60000);
		break;
	case VX_SET_AFFINITY:
		set_affinity(dev, command->a, command->b);
		break;
	case VX_READ_BLOCK:
		hyperv_read_cfg_blk(dev, block, command->b, command->a, &returned);
		break;
	case VX_WRITE_BLOCK:
		hyperv_write_cfg_blk(dev, (void *)&command->b, 8, command->a);
		break;
	}
}

static void run_command(void *argument)
{
	struct command *command = argument;
	struct pci_dev *dev;

	switch (command->what) {
	case VX_UNLOAD:
		vx_unload_driver();
		break;
	case VX_LOAD:
		vx_load_driver();
		break;
	case VX_RESCAN:
		rescan();
		break;
	default:
		dev = function_of(command);
		if (dev) {
			do_to_function(command, dev);
			pci_dev_put(dev);
		}
	}
	vx_free(command);
}

/* Start the command; the new context is the last that was noted. */
VX_EXPORT void vx_shell(const char *title, u32 cpu, u32 what, const guid_t *instance, u32 devfn,
			u64 a, u64 b)
{
	struct command *command = vx_alloc(sizeof(*command), 8, __builtin_return_address(0));

	*command = (struct command){ .what = what, .devfn = devfn, .a = a, .b = b };
	guid_copy(&command->instance, instance);
	vx_start(VX_THREAD, cpu, title, run_command, command);
}
