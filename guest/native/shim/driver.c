/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver itself, unmodified, and below it what only its own file can tell of its structures.
 * VX_DRIVER is the file that the user gave, or the tree's.
 */
#include <linux/module.h>

/* module.c loads it, at boot too. */
#undef module_init
#define module_init(function)

#include VX_DRIVER

#include "../core/vx.h"

const guid_t *vx_instance_of(struct pci_bus *bus);
u32 vx_relid_of(struct pci_bus *bus);
u32 vx_wslot_of(const struct pci_dev *dev);

static struct hv_device *device_of(struct pci_bus *bus)
{
	return container_of(bus->sysdata, struct hv_pcibus_device, sysdata)->hdev;
}

const guid_t *vx_instance_of(struct pci_bus *bus)
{
	return &device_of(bus)->dev_instance;
}

u32 vx_relid_of(struct pci_bus *bus)
{
	return device_of(bus)->channel->offermsg.child_relid;
}

u32 vx_wslot_of(const struct pci_dev *dev)
{
	return devfn_to_wslot(dev->devfn);
}

/* --- the module's own ends, for loading and unloading it --- */

const char *vx_driver_name(void);
int vx_load_driver(void);
void vx_unload_driver(void);

const char *vx_driver_name(void)
{
	return hv_pci_drv.name;
}

int vx_load_driver(void)
{
	return init_hv_pci_drv();
}

void vx_unload_driver(void)
{
	exit_hv_pci_drv();
}
