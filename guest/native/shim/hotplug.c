/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is told of CPUs that come and go: kernel/cpu.c's states, as far as callbacks are registered. */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>

#include "hotplug.h"

static struct vx_hotplug_state states[CPUHP_ONLINE + 1];

struct vx_hotplug_state *vx_hotplug_state(enum cpuhp_state state)
{
	return &states[state];
}

static enum cpuhp_state free_dynamic_state(void)
{
	enum cpuhp_state state = CPUHP_AP_ONLINE_DYN;

	while (state < CPUHP_AP_ONLINE_DYN_END && states[state].name)
		state++;
	return state;
}

int __cpuhp_setup_state_cpuslocked(enum cpuhp_state state, const char *name, bool invoke,
				   int (*startup)(unsigned int), int (*teardown)(unsigned int),
				   bool multi)
{
	bool dynamic = state == CPUHP_AP_ONLINE_DYN;
	unsigned int cpu;

	if (dynamic)
		state = free_dynamic_state();
	states[state] = (struct vx_hotplug_state){ .name = name, .multi = multi };
	states[state].startup.single = startup;
	states[state].teardown.single = teardown;
	if (invoke && startup)
		for_each_online_cpu(cpu)
			vx_on_cpu(cpu, startup);
	return dynamic ? state : 0;
}

int __cpuhp_setup_state(enum cpuhp_state state, const char *name, bool invoke,
			int (*startup)(unsigned int), int (*teardown)(unsigned int), bool multi)
{
	return __cpuhp_setup_state_cpuslocked(state, name, invoke, startup, teardown, multi);
}

void __cpuhp_remove_state(enum cpuhp_state state, bool invoke)
{
	states[state] = (struct vx_hotplug_state){};
}

int __cpuhp_state_add_instance(enum cpuhp_state state, struct hlist_node *node, bool invoke)
{
	cpus_read_lock();
	hlist_add_head(node, &states[state].instances);
	cpus_read_unlock();
	return 0;
}

int __cpuhp_state_remove_instance(enum cpuhp_state state, struct hlist_node *node, bool invoke)
{
	cpus_read_lock();
	hlist_del(node);
	cpus_read_unlock();
	return 0;
}
