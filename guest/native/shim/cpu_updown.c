/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that go offline and come back, and in which order those are told who registered: after
 * kernel/cpu.c. What is done in each state is the kernel's own; how a CPU is taken down is in
 * takedown.c.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irq.h>
#include <linux/suspend.h>
#include <asm/apic.h>
#include <asm/mshyperv.h>

#include "hotplug.h"
#include "telling.h"

#if SINCE(6, 4)
#define HYPERV_ONLINE CPUHP_AP_HYPERV_ONLINE
#else
#define HYPERV_ONLINE CPUHP_AP_ONLINE_DYN
#endif

/* Of a CPU that runs, in the order of coming up. */
#define FIRST_STATE CPUHP_AP_ONLINE
#define LAST_STATE CPUHP_ONLINE

static unsigned int disabled;
static struct cpumask went_down;
static DEFINE_MUTEX(cpu_add_remove_lock);

/* --- who must not be disturbed: cpu_hotplug_lock; once a writer waits no more readers get in --- */

static struct vx_queue lock_waiters = { NULL, &lock_waiters.head, "cpu_hotplug_lock" };
static unsigned int readers;
static bool writing;

void cpus_read_lock(void)
{
	vx_may_sleep("percpu_down_read", NULL);
	while (writing)
		vx_park(&lock_waiters, lock_waiters.name, VX_NEVER);
	readers++;
}

void cpus_read_unlock(void)
{
	if (!--readers)
		vx_wake_all(&lock_waiters);
}

static void cpus_write_lock_here(void)
{
	writing = true;
	while (readers)
		vx_park(&lock_waiters, lock_waiters.name, VX_NEVER);
}

static void cpus_write_unlock_here(void)
{
	writing = false;
	vx_wake_all(&lock_waiters);
}

void cpu_hotplug_disable(void)
{
	mutex_lock(&cpu_add_remove_lock);
	disabled++;
	mutex_unlock(&cpu_add_remove_lock);
}

void cpu_hotplug_enable(void)
{
	mutex_lock(&cpu_add_remove_lock);
	disabled--;
	mutex_unlock(&cpu_add_remove_lock);
}

/* 0, or what refused; Model: the instances that were told already are not told again. */
static int call_state(enum cpuhp_state number, unsigned int cpu, bool up)
{
	struct vx_hotplug_state *state = vx_hotplug_state(number);
	struct hlist_node *node, *next;
	int ret = 0;

	if (!state->multi) {
		int (*single)(unsigned int) = up ? state->startup.single : state->teardown.single;

		return single ? single(cpu) : 0;
	}
	hlist_for_each_safe(node, next, &state->instances) {
		ret = ret ?: up ? state->startup.multi(cpu, node) :
				  state->teardown.multi(cpu, node);
	}
	return ret;
}

/* --- something done on one CPU, waited for --- */

struct on_cpu {
	int (*function)(unsigned int cpu);
	unsigned int cpu;
	int ret;
	struct completion done;
};

static void run_on_cpu(void *argument)
{
	struct on_cpu *call = argument;

	call->ret = call->function(call->cpu);
	complete(&call->done);
}

/* work_on_cpu(), or the CPU's own hotplug thread. */
static int do_on_cpu(unsigned int where, const char *name, int (*function)(unsigned int cpu),
		     unsigned int cpu)
{
	struct on_cpu call = { .function = function, .cpu = cpu };
	char title[32];

	init_completion(&call.done);
	snprintf(title, sizeof(title), "%s/%u", name, cpu);
	vx_start(VX_THREAD, where, title, run_on_cpu, &call);
	wait_for_completion(&call.done);
	return call.ret;
}

/* --- down --- */

/* cpuhp_down_callbacks() of a CPU that still runs; whom it told is told again if one refuses. */
static int tear_down(unsigned int cpu)
{
	enum cpuhp_state told = LAST_STATE + 1; /* from this one on */
	int ret = 0;

	while (told > FIRST_STATE && !ret) {
		ret = call_state(told - 1, cpu, false);
		if (!ret)
			told--;
	}
	for (; ret && told <= LAST_STATE; told++)
		call_state(told, cpu, true);
	return ret;
}

static int bring_up(unsigned int cpu)
{
	enum cpuhp_state state;

	for (state = FIRST_STATE; state <= LAST_STATE; state++)
		call_state(state, cpu, true); /* Model: none of them refuses */
	return 0;
}

static int take_down(unsigned int cpu)
{
	int ret;

	cpus_write_lock_here();
	ret = do_on_cpu(cpu, "cpuhp", tear_down, cpu);
	if (!ret) {
		ret = vx_takedown_cpu(cpu);
		if (ret)
			do_on_cpu(cpu, "cpuhp", bring_up, cpu);
	}
	cpus_write_unlock_here();
	return ret;
}

int vx_cpu_down(unsigned int cpu)
{
	struct cpumask others;
	int ret = -EBUSY;

	mutex_lock(&cpu_add_remove_lock);
	cpumask_copy(&others, cpu_online_mask);
	cpumask_clear_cpu(cpu, &others);
	if (!cpumask_empty(&others) && !disabled)
		ret = do_on_cpu(cpumask_first(&others), "cpu_down", take_down, cpu);
	mutex_unlock(&cpu_add_remove_lock);
	return ret;
}

/* --- up --- */

/* start_secondary(), up to where the CPU's hotplug thread goes on. */
static int start_secondary(unsigned int cpu)
{
	lock_vector_lock();
	vx_set_cpu_online(cpu, true);
	lapic_online();
	unlock_vector_lock();
	return bring_up(cpu);
}

static void bring_back(unsigned int cpu)
{
	cpus_write_lock_here();
	vx_note(VX_CPU_STARTS, NULL)->a = cpu;
	do_on_cpu(cpu, "cpuhp", start_secondary, cpu);
	vx_tell(CPU_ONLINE, NULL, cpu);
	cpus_write_unlock_here();
}

int vx_cpu_up(unsigned int cpu)
{
	int ret = -EBUSY;

	mutex_lock(&cpu_add_remove_lock);
	if (!disabled) {
		bring_back(cpu);
		ret = 0;
	}
	mutex_unlock(&cpu_add_remove_lock);
	return ret;
}

/* --- all at once, for hibernation --- */

int vx_freeze_secondary_cpus(unsigned int primary)
{
	unsigned int cpu = nr_cpu_ids;
	int error = 0;

	mutex_lock(&cpu_add_remove_lock);
	cpumask_clear(&went_down);
	while (cpu-- && !error) {
		if (cpu == primary || !cpu_online(cpu))
			continue;
		error = take_down(cpu);
		if (!error)
			cpumask_set_cpu(cpu, &went_down);
	}
	disabled++;
	mutex_unlock(&cpu_add_remove_lock);
	return error;
}

void vx_thaw_secondary_cpus(void)
{
	unsigned int cpu;

	mutex_lock(&cpu_add_remove_lock);
	disabled--;
	for_each_cpu(cpu, &went_down)
		bring_back(cpu);
	cpumask_clear(&went_down);
	mutex_unlock(&cpu_add_remove_lock);
}

/* What kernel/cpu.c's own table and hv_init.c register. */
static int __init set_up_states(void)
{
	cpuhp_setup_state_nocalls(HYPERV_ONLINE, "x86/hyperv_init:online", hv_common_cpu_init,
				  hv_common_cpu_die);
	return cpuhp_setup_state_nocalls(CPUHP_AP_IRQ_AFFINITY_ONLINE, "irq/affinity:online",
					 irq_affinity_online_cpu, NULL);
}
early_initcall(set_up_states);
