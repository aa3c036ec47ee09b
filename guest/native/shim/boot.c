/* SPDX-License-Identifier: GPL-2.0-only */
/* From nothing to a kernel that has asked for offers: memory, CPUs, then the kernel's own initcalls. */
#include <linux/init.h>
#include <linux/irq.h>
#include <linux/maple_tree.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/radix-tree.h>
#include <asm/apic.h>
#include <asm/mshyperv.h>

#include "shim.h"

extern bool no_hash_pointers;
extern initcall_t vx_initcalls_start[], vx_initcalls_end[];
extern const struct obs_kernel_param vx_setup_start[], vx_setup_end[];
int devices_init(void);
int buses_init(void);
int classes_init(void);
int platform_bus_init(void);
void vx_init_cpus(void);
void vx_init_workqueues(void);
int vx_add_vmbus_device(void);

static int init_cpu(unsigned int cpu)
{
	if (!cpu)
		lapic_assign_system_vectors();
	else
		lapic_online();
	return hv_common_cpu_init(cpu);
}

/*
 * The kernel's command line. Nobody waits for suppliers of devices, which on a real machine ends
 * after ten seconds and would only make every run that long.
 */
static const struct {
	const char *name;
	char *value;
} parameters[] = { { "deferred_probe_timeout=", "0" } };

static void parse_parameters(void)
{
	const struct obs_kernel_param *entry;
	unsigned int i;

	for (entry = vx_setup_start; entry < vx_setup_end; entry++)
		for (i = 0; i < ARRAY_SIZE(parameters); i++)
			if (!strcmp(entry->str, parameters[i].name))
				entry->setup_func(parameters[i].value);
}

static void init_core(void)
{
	no_hash_pointers = true; /* so that what is printed is the same in every run */
	parse_parameters();
	radix_tree_init();
	maple_tree_init();
	vx_init_workqueues();
	early_irq_init();
	devices_init();
	buses_init();
	classes_init();
	platform_bus_init();
}

/* Of what the kernel sets up before its drivers nothing fails: it has no other way than to succeed. */
static void call_initcall(initcall_t call)
{
	const char *name = vx_function_name(call);

	if (!strcmp(name, "hv_acpi_init")) /* VMBus's, the first of the drivers here */
		vx_begin_faults();
	if (call())
		vx_log(name);
}

static void boot(void *argument)
{
	initcall_t *call;
	unsigned int cpu;

	init_core();
	hv_common_init();
	for_each_online_cpu(cpu)
		vx_on_cpu(cpu, init_cpu);
	vx_add_vmbus_device();
	for (call = vx_initcalls_start; call < vx_initcalls_end; call++)
		call_initcall(*call);
}

/* On the last CPU: VMBus's interrupts come in on the first, and meet it from there. */
VX_EXPORT void vx_boot(void)
{
	VX_DOOR;
	vx_init_cpus();
	vx_start(VX_THREAD, vx_shared.cpus - 1, "hv_acpi_init", boot, NULL);
}
