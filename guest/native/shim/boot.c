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
int devices_init(void);
int buses_init(void);
int classes_init(void);
int platform_bus_init(void);
void vx_init_cpus(void);
void vx_init_workqueues(void);
int vx_add_vmbus_device(void);

static void init_cpu(void *argument)
{
	lapic_online();
	hv_common_cpu_init(vx_current->cpu);
}

static void boot(void *argument)
{
	initcall_t *call;

	no_hash_pointers = true; /* so that what is printed is the same in every run */
	radix_tree_init();
	maple_tree_init();
	vx_init_workqueues();
	early_irq_init();
	devices_init();
	buses_init();
	classes_init();
	platform_bus_init();
	hv_common_init();
	lapic_assign_system_vectors();
	hv_common_cpu_init(0);
	for (unsigned int cpu = 1; cpu < vx_shared.cpus; cpu++)
		vx_start(VX_THREAD, cpu, "hv_cpu_init", init_cpu, NULL);
	if (vx_shared.cpus > 1)
		msleep(0);
	vx_add_vmbus_device();
	for (call = vx_initcalls_start; call < vx_initcalls_end; call++)
		if ((*call)())
			vx_log(vx_function_name(*call));
}

VX_EXPORT void vx_boot(void)
{
	vx_init_cpus();
	vx_start(VX_THREAD, 0, "hv_acpi_init", boot, NULL);
}
