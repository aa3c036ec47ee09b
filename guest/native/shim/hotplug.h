/* SPDX-License-Identifier: GPL-2.0-only */
/* What is registered for CPUs that come and go, for whoever takes one down or brings one up. */
#ifndef VX_HOTPLUG_H
#define VX_HOTPLUG_H

#include <linux/cpuhotplug.h>
#include <linux/list.h>

#include "shim.h"

struct vx_hotplug_state {
	const char *name; /* NULL: nobody */
	bool multi; /* a callback for each of `instances` */
	union {
		int (*single)(unsigned int cpu);
		int (*multi)(unsigned int cpu, struct hlist_node *node);
	} startup, teardown;
	struct hlist_head instances;
};

struct vx_hotplug_state *vx_hotplug_state(enum cpuhp_state state);

#endif
