/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The video device of a VM of generation 1, by which VMBus knows where the framebuffer is. It is on
 * an emulated bus that is not played, so that nobody finds it but by asking for it.
 */
#include <linux/pci.h>
#include <linux/pci_ids.h>

#include "shim.h"

#define VIDEO_DEVICE 0x5353

static struct pci_dev video;

/* Both ends are in it. */
VX_EXPORT void vx_set_framebuffer(u64 start, u64 end)
{
	video.resource[0].start = start;
	video.resource[0].end = end;
	video.resource[0].flags = IORESOURCE_MEM;
}

static void never_released(struct device *dev)
{
}

struct pci_dev *__real_pci_get_device(unsigned int vendor, unsigned int device, struct pci_dev *from);
struct pci_dev *__wrap_pci_get_device(unsigned int vendor, unsigned int device, struct pci_dev *from);

struct pci_dev *__wrap_pci_get_device(unsigned int vendor, unsigned int device, struct pci_dev *from)
{
	if (vendor != PCI_VENDOR_ID_MICROSOFT || device != VIDEO_DEVICE)
		return __real_pci_get_device(vendor, device, from);
	if (!video.resource[0].flags)
		return NULL;
	if (!video.dev.kobj.state_initialized) {
		device_initialize(&video.dev);
		video.dev.release = never_released;
	}
	return pci_dev_get(&video);
}
