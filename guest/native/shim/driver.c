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

#include <generated/vx-features.h>

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

#if !VX_PCI_CORE_HAS_EMULATED_DOMAINS
u32 vx_domains_taken(void);

/* How many domain numbers are given out; 0 is nobody's, and is marked from the beginning. */
u32 __no_sanitize_thread vx_domains_taken(void)
{
	u32 count = 0, word;

	for (word = 0; word < BITS_TO_LONGS(HVPCI_DOM_MAP_SIZE); word++)
		count += hweight_long(hvpci_dom_map[word]);
	return count - (hvpci_dom_map[0] & 1);
}
#endif

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

#ifdef VX_COUNTS /* and -fprofile-arcs: which of the lines above have been run, and how often */

void __gcov_dump(void);
void __gcov_reset(void);
void __wrap___gcov_exit(void);
VX_EXPORT void vx_write_counts(void);

/* Add what was counted to a file below $GCOV_PREFIX, and begin again with nothing. */
void vx_write_counts(void)
{
	__gcov_dump();
	__gcov_reset();
}

/* As the process ends nothing is written: whoever wants the counts has asked for them. */
void __wrap___gcov_exit(void)
{
}

#endif
