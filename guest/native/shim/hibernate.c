/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine hibernates and comes back: the order of kernel/power/hibernate.c, as a table over the
 * kernel's own phases. One kernel thread goes all the way: it stops in the middle with the machine
 * switched off, and goes on there once it is on again.
 *
 * Model: what the memory image does not know of is left out: the devices' thaw while the image is
 * written, their second power-off, and the kernel that reads the image. Works and timers that are
 * left over go on while the machine is off.
 */
#include <linux/cpu.h>
#include <linux/pm.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>

#include "hotplug.h"
#include "shell.h"
#include "telling.h"

#define PRIMARY_CPU 0
#define OF_THE_MACHINE 0 /* no channel has that relid */

static DEFINE_MUTEX(transition); /* system_transition_mutex */
static struct vx_queue button = { NULL, &button.head, "power button" };
static bool is_off;
static struct completion back; /* of the hibernation whose machine is off */

struct phase {
	int (*down)(void);
	void (*up)(pm_message_t message);
	bool undoes_itself; /* when it fails; else the way up begins with it */
};

static int disable_hotplug(void)
{
	cpu_hotplug_disable();
	return 0;
}

static void enable_hotplug(pm_message_t message)
{
	cpu_hotplug_enable();
}

static void thaw_processes_of(pm_message_t message)
{
	vx_thaw_processes();
}

static int prepare(void)
{
	return dpm_prepare(PMSG_FREEZE);
}

static int suspend(void)
{
	return dpm_suspend(PMSG_FREEZE);
}

static int suspend_end(void)
{
	return dpm_suspend_end(PMSG_FREEZE);
}

static int disable_secondary_cpus(void)
{
	return vx_freeze_secondary_cpus(PRIMARY_CPU);
}

static void enable_secondary_cpus(pm_message_t message)
{
	vx_thaw_secondary_cpus();
}

static const struct phase phases[] = {
	{ disable_hotplug, enable_hotplug }, /* cpu_hotplug_pm_callback() */
	{ vx_freeze_processes, thaw_processes_of, true },
	{ prepare, dpm_complete },
	{ suspend, dpm_resume },
	{ suspend_end, dpm_resume_start, true },
	{ disable_secondary_cpus, enable_secondary_cpus },
};

/* Those that are left, in the order of coming up. */
static void come_up(unsigned int entered, pm_message_t message)
{
	while (entered--)
		phases[entered].up(message);
}

/* syscore_suspend(), swsusp_arch_suspend(); Model: interrupts are on while the machine is off. */
static int power_off(struct completion *settled)
{
	int error;

	local_irq_disable();
	error = syscore_suspend();
	if (!error) {
		vx_tell(MACHINE_POWERED_OFF, NULL);
		vx_ask(VX_POWER_OFF, 0, 0, 0, 0);
	}
	local_irq_enable();
	if (error)
		return error;
	is_off = true;
	init_completion(&back);
	complete(settled);
	while (is_off)
		vx_park(&button, button.name, VX_NEVER);
	vx_note(VX_POWERED_ON, NULL);
	vx_tell(MACHINE_POWERED_ON, NULL);
	local_irq_disable();
	syscore_resume();
	local_irq_enable();
	return 0;
}

static void hibernate_thread(void *argument)
{
	struct completion *settled = argument;
	unsigned int entered = 0;
	int error = 0;

	mutex_lock(&transition);
	for (; entered < ARRAY_SIZE(phases) && !error; entered++)
		error = phases[entered].down();
	if (error)
		entered -= phases[entered - 1].undoes_itself;
	else
		error = power_off(settled);
	come_up(entered, error ? PMSG_RECOVER : PMSG_RESTORE);
	mutex_unlock(&transition);
	vx_tell(FUNCTION_RETURNED, "hibernate", OF_THE_MACHINE, error);
	complete_all(error ? settled : &back);
}

/* `systemctl hibernate`: until the machine is off, or could not be. */
int vx_suspend(struct vx_command *command)
{
	struct completion settled;

	init_completion(&settled);
	vx_start(VX_THREAD, PRIMARY_CPU, "hibernate", hibernate_thread, &settled);
	wait_for_completion(&settled);
	return 0;
}

/* Switch the machine on: until it is back. Nothing if it is not off. */
int vx_resume_machine(struct vx_command *command)
{
	if (!is_off)
		return 0;
	is_off = false;
	vx_wake_all(&button);
	wait_for_completion(&back);
	return 0;
}
