/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMBus device as firmware describes it: one node below the root, with the MMIO ranges. */
#include <linux/acpi.h>
#include <linux/platform_device.h>

#include "shim.h"

#define RANGES_MAX 8

int acpi_disabled;
static struct acpi_device vmbus_node, module_node;
static struct platform_device *vmbus_platform_device;
static struct {
	u64 start, end;
} ranges[RANGES_MAX];
static unsigned int ranges_count;

VX_EXPORT void vx_add_mmio_range(u64 start, u64 end)
{
	ranges[ranges_count].start = start;
	ranges[ranges_count++].end = end;
}

bool acpi_driver_match_device(struct device *dev, const struct device_driver *drv)
{
	return vmbus_platform_device && dev == &vmbus_platform_device->dev &&
	       !strcmp(drv->name, "vmbus");
}

acpi_status acpi_walk_resources(acpi_handle handle, char *name, acpi_walk_resource_callback callback,
				void *context)
{
	struct acpi_resource resource = { .type = ACPI_RESOURCE_TYPE_ADDRESS64 };
	unsigned int i;

	if (handle != module_node.handle)
		return AE_OK;
	for (i = 0; i < ranges_count; i++) {
		bool low = ranges[i].end < 1ull << 32;

		resource.type = low ? ACPI_RESOURCE_TYPE_ADDRESS32 : ACPI_RESOURCE_TYPE_ADDRESS64;
		if (low) {
			resource.data.address32.address.minimum = ranges[i].start;
			resource.data.address32.address.maximum = ranges[i].end;
		} else {
			resource.data.address64.address.minimum = ranges[i].start;
			resource.data.address64.address.maximum = ranges[i].end;
		}
		callback(&resource, context);
	}
	return AE_OK;
}

acpi_status acpi_get_table(char *signature, u32 instance, struct acpi_table_header **table)
{
	return AE_NOT_FOUND;
}

bool is_acpi_device_node(const struct fwnode_handle *fwnode)
{
	return fwnode == &vmbus_node.fwnode || fwnode == &module_node.fwnode;
}

static int add_nodes(void)
{
	module_node.handle = (acpi_handle)2;
	vmbus_node.handle = (acpi_handle)1;
	vmbus_node.dev.parent = &module_node.dev;
	fwnode_init(&module_node.fwnode, NULL);
	fwnode_init(&vmbus_node.fwnode, NULL);
	device_initialize(&module_node.dev);
	device_initialize(&vmbus_node.dev);
	dev_set_name(&module_node.dev, "VMOD0001:00");
	dev_set_name(&vmbus_node.dev, "VMBUS:00");
	return device_add(&module_node.dev) ?: device_add(&vmbus_node.dev);
}

#if SINCE(6, 4)
int vx_add_vmbus_device(void)
{
	int ret = add_nodes();

	if (ret)
		return ret;
	vmbus_platform_device = platform_device_alloc("VMBUS", 0);
	if (!vmbus_platform_device)
		return -ENOMEM;
	vmbus_platform_device->dev.fwnode = &vmbus_node.fwnode;
	return platform_device_add(vmbus_platform_device);
}
#else
int vx_add_vmbus_device(void)
{
	return add_nodes();
}

/* VMBus was a driver of its ACPI device, not of a platform device made from it. */
int acpi_bus_register_driver(struct acpi_driver *driver)
{
	vmbus_node.dev.driver = &driver->drv; /* whose callbacks hibernation finds there */
	return driver->ops.add(&vmbus_node);
}

void acpi_bus_unregister_driver(struct acpi_driver *driver)
{
}
#endif
