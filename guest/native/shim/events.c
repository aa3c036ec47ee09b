/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to PCI devices, told by the kernel's own notifications. */
#include <linux/pci.h>

#include "shim.h"

u32 vx_relid_of(struct pci_bus *bus); /* driver.c */

static void note_device(enum vx_note_kind kind, struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct vx_note *note = vx_note(kind, NULL);

	note->a = pdev->vendor;
	note->b = pdev->device;
	note->c = vx_relid_of(pdev->bus);
	note->d = pci_domain_nr(pdev->bus);
	snprintf(note->text, sizeof(note->text), "%s %s", pci_name(pdev),
		 dev->driver ? dev->driver->name : "");
}

static int device_notified(struct notifier_block *block, unsigned long action, void *data)
{
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		note_device(VX_DEVICE_ADDED, data);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		note_device(VX_DEVICE_REMOVED, data);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		note_device(VX_DRIVER_BOUND, data);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER: /* UNBOUND no longer knows whose it was */
		note_device(VX_DRIVER_UNBOUND, data);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block notified = { .notifier_call = device_notified };

static int __init watch_devices(void)
{
	return bus_register_notifier(&pci_bus_type, &notified);
}
subsys_initcall(watch_devices);
