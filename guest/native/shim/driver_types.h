/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's own types, for those who look at its structures and tell. Its text is included whole,
 * and nothing of it stays: nobody calls its functions here, and it is not registered a second time.
 * Compiled without the hooks, so that what they look at counts as no access of the driver's.
 */
#ifndef VX_DRIVER_TYPES_H
#define VX_DRIVER_TYPES_H

#include <linux/module.h>

#undef module_init
#undef module_exit
#undef MODULE_DEVICE_TABLE
#undef MODULE_DESCRIPTION
#undef MODULE_LICENSE
#define module_init(function)
#define module_exit(function)
#define MODULE_DEVICE_TABLE(type, name)
#define MODULE_DESCRIPTION(text)
#define MODULE_LICENSE(text)

/* What reaches all of the rest, and is kept for whoever unloads it where nothing is a module. */
#undef __exit
#define __exit __maybe_unused

#include VX_DRIVER

#include "telling.h"

/* A bus as events name it. Who is watched may have freed it: whoever looks later asks first. */
struct vx_bus {
	struct hv_pcibus_device *hbus;
	u32 relid;
	enum hv_pcibus_state state; /* as it was told last */
	u32 lists_waiting, newest_count; /* lists that nobody has taken yet; how many functions it has */
};

/* A function of a bus, from when it is linked until it is freed. */
struct vx_child {
	struct hv_pci_dev *hpdev;
	struct vx_bus *bus;
	u32 wslot, serial;
	bool linked, has_slot;
};

struct vx_bus *vx_bus_of(struct hv_pcibus_device *hbus);
struct vx_bus *vx_next_bus(struct vx_bus *after); /* of those that live; NULL: the first */
void vx_look_for_added(struct vx_bus *bus);
void vx_forget_children(const struct vx_bus *bus); /* which has gone, with them or without */
void vx_look_for_removed(struct vx_bus *bus, const char *why);
void vx_tell_domain(u32 relid, const struct vx_watched *inner); /* which may be about one */

static inline u32 vx_relid(const struct hv_device *hdev)
{
	return hdev->channel->offermsg.child_relid;
}

static inline struct hv_pcibus_device *vx_hbus_of(const struct hv_device *hdev)
{
	return dev_get_drvdata(&hdev->device);
}

#endif
