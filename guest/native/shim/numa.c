/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NUMA nodes: which the kernel may have, which it has, and the CPUs of each. Distances are unknown, as
 * Hyper-V gives no table of them, so that all other nodes are equally far.
 */
#include <linux/nodemask.h>
#include <linux/topology.h>

#include "shim.h"

unsigned int nr_node_ids = 1;
nodemask_t node_states[NR_NODE_STATES];
cpumask_var_t node_to_cpumask_map[MAX_NUMNODES];
static u8 node_of_cpu[NR_CPUS];
static u32 nodes_possible = 1;
static u64 nodes_online = 1;

/* Before boot: how many nodes, and which of them are online. */
VX_EXPORT void vx_set_nodes(u32 possible, u64 online)
{
	nodes_possible = possible;
	nodes_online = online;
}

VX_EXPORT void vx_set_node_of_cpu(u32 cpu, u32 node)
{
	node_of_cpu[cpu] = node;
}

void vx_init_nodes(void);

void vx_init_nodes(void)
{
	unsigned int node, cpu;

	nr_node_ids = nodes_possible;
	for (node = 0; node < nodes_possible; node++) {
		node_set(node, node_states[N_POSSIBLE]);
		if (!(nodes_online >> node & 1))
			continue;
		node_set(node, node_states[N_ONLINE]);
		node_set(node, node_states[N_MEMORY]);
		node_set(node, node_states[N_CPU]);
	}
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		cpumask_set_cpu(cpu, node_to_cpumask_map[node_of_cpu[cpu]]);
}

int cpu_to_node(int cpu)
{
	return node_of_cpu[cpu];
}

int numa_nearest_node(int node, unsigned int state)
{
	return node == NUMA_NO_NODE || node_state(node, state) ? node :
								 first_node(node_states[state]);
}

#if !SINCE(6, 4)
int numa_map_to_online_node(int node)
{
	return numa_nearest_node(node, N_ONLINE);
}
#endif

/* NODE_DATA(): free_area_init() gives every possible node one, online or not; others have none. */
void vx_check_node(int node)
{
	if (node != NUMA_NO_NODE && (node < 0 || !node_possible(node)))
		vx_finding("null-dereference", "NODE_DATA(%d) is NULL", node);
}
