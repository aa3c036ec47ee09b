/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to PCI devices, told by the kernel's own notifications; and how anything is told. */
#include <linux/pci.h>

#include "telling.h"

void vx_tell_numbers(enum vx_event event, const char *words, unsigned int count, const u64 *numbers)
{
	struct vx_note *note = vx_note(VX_HAPPENED, NULL);

	note->a = event;
	vx_copy(note->numbers, numbers, count * sizeof(*numbers));
	if (words)
		strscpy(note->words, words, sizeof(note->words));
	else
		note->words[0] = '\0';
}

static void tell_device(enum vx_event event, struct device *dev, bool with_driver)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	char words[128];

	snprintf(words, sizeof(words), "%s\t%s", pci_name(pdev),
		 with_driver && dev->driver ? dev->driver->name : "");
	vx_tell(event, words, pdev->vendor, pdev->device);
}

static int device_notified(struct notifier_block *block, unsigned long action, void *data)
{
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		tell_device(PCI_DEV_ADDED, data, false);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		tell_device(PCI_DEV_REMOVED, data, false);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		tell_device(DRIVER_BOUND, data, true);
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

/* Told once the driver's remove has ended; the notification after that no longer knows whose it was. */
static void letting_go(struct vx_watched *call)
{
	struct device_driver *driver = ((struct device *)call->arguments[0])->driver;

	call->kept[0] = (u64)driver->name;
}

static void let_go(struct vx_watched *call)
{
	struct device *dev = (void *)call->arguments[0];
	char words[128];

	snprintf(words, sizeof(words), "%s\t%s", dev_name(dev), (const char *)call->kept[0]);
	vx_tell(DRIVER_UNBOUND, words, 0);
}

VX_WATCH(pci_device_remove, .enter = letting_go, .leave = let_go);

static void bar_assigned(struct vx_watched *call)
{
	struct pci_dev *dev = (void *)call->arguments[0];
	int bar = call->arguments[1];

	if (!(int)call->result && bar < PCI_STD_NUM_BARS)
		vx_tell(BAR_ASSIGNED, pci_name(dev), bar, pci_resource_start(dev, bar),
			pci_resource_len(dev, bar));
}

VX_WATCH(pci_assign_resource, .leave = bar_assigned);
