/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands on a CPU: its file `online`, written.
 *
 * Model: x86 has no such file for CPU 0 (arch_cpu_is_hotpluggable()); here VMBus says no.
 */
#include "hotplug.h"
#include "shell.h"

int vx_cpu_offline(struct vx_command *command)
{
	return cpu_online(command->a) ? vx_cpu_down(command->a) : 0;
}

int vx_cpu_online(struct vx_command *command)
{
	if (command->a >= nr_cpu_ids || cpu_online(command->a))
		return 0;
	return vx_cpu_up(command->a);
}
