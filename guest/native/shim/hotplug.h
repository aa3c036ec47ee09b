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

int vx_cpu_down(unsigned int cpu); /* cpu_updown.c: 0 or a negative errno; -EBUSY for the last one */
int vx_cpu_up(unsigned int cpu);
int vx_freeze_secondary_cpus(unsigned int primary); /* for hibernation: all but one go */
void vx_thaw_secondary_cpus(void); /* and come back */

int vx_takedown_cpu(unsigned int cpu); /* takedown.c: 0, or the CPU refuses to die */
void vx_set_cpu_online(unsigned int cpu, bool online); /* cpu.c */
bool vx_interrupt_waits(unsigned int cpu, unsigned int vector); /* apic.c */
void vx_take_over_tasklets(unsigned int from, unsigned int to); /* tasklet.c */

#endif
