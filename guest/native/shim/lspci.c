/* SPDX-License-Identifier: GPL-2.0-only */
/* What lspci reads: every function's BARs, and its configuration space through the bus's accessors. */
#include <linux/pci.h>

#include "shell.h"

struct window { /* guest/seen.py */
	u64 start, end, flags;
};

/* The bytes stay until the run is over: the note that leads to them is read at the next trap. */
static u32 *read_config(struct pci_dev *dev)
{
	u32 *config = vx_alloc(PCI_CFG_SPACE_EXP_SIZE, 8, __builtin_return_address(0));
	int where;

	for (where = 0; where < PCI_CFG_SPACE_EXP_SIZE; where += 4)
		dev->bus->ops->read(dev->bus, dev->devfn, where, 4, &config[where / 4]);
	return config;
}

static void show(struct pci_dev *dev)
{
	u32 *config = read_config(dev);
	struct vx_note *note = vx_note(VX_FUNCTION_SEEN, NULL);
	struct window *windows = (struct window *)note->text;
	int bar;

	note->a = (u64)pci_domain_nr(dev->bus) << 16 | dev->bus->number << 8 | dev->devfn;
	note->b = (u64)config;
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct resource *res = &dev->resource[bar];

		windows[bar] = (struct window){ res->start, res->end, res->flags };
	}
}

int vx_lspci(struct vx_command *command)
{
	struct pci_bus *bus;
	struct pci_dev *dev;

	list_for_each_entry(bus, &pci_root_buses, node)
		list_for_each_entry(dev, &bus->devices, bus_list)
			show(dev);
	return 0;
}
