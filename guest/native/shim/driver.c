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

/* --- what the entry points return --- */

static void note_return(struct hv_device *hdev, const char *function, int ret)
{
	struct vx_note *note = vx_note(VX_RETURNED, NULL);

	note->a = hdev->channel->offermsg.child_relid;
	note->b = ret;
	strscpy(note->text, function, sizeof(note->text));
}

static int noted_probe(struct hv_device *hdev, const struct hv_vmbus_device_id *id)
{
	int ret = hv_pci_probe(hdev, id);

	note_return(hdev, "hv_pci_probe", ret);
	return ret;
}

static int noted_suspend(struct hv_device *hdev)
{
	int ret = hv_pci_suspend(hdev);

	note_return(hdev, "hv_pci_suspend", ret);
	return ret;
}

static int noted_resume(struct hv_device *hdev)
{
	int ret = hv_pci_resume(hdev);

	note_return(hdev, "hv_pci_resume", ret);
	return ret;
}

static int __init note_entry_points(void)
{
	hv_pci_drv.probe = noted_probe;
	hv_pci_drv.suspend = noted_suspend;
	hv_pci_drv.resume = noted_resume;
	return 0;
}
subsys_initcall(note_entry_points);

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
