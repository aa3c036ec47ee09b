/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands on a vPCI bus as a device of VMBus: the files of /sys/bus/vmbus, written. */
#include <linux/hyperv.h>

#include "shell.h"

#define GUID_CHARS 37

const char *vx_driver_name(void); /* driver.c */

static const char *name_of(const struct vx_command *command, char name[static GUID_CHARS])
{
	snprintf(name, GUID_CHARS, "%pUl", &command->instance);
	return name;
}

int vx_bind_bus(struct vx_command *command)
{
	char name[GUID_CHARS];

	return vx_write_file(vx_driver_name(), "bind", name_of(command, name));
}

int vx_unbind_bus(struct vx_command *command)
{
	char name[GUID_CHARS];

	return vx_write_file(vx_driver_name(), "unbind", name_of(command, name));
}

/* The text is a driver's name, or nothing: an empty line. */
int vx_override_bus(struct vx_command *command)
{
	char name[GUID_CHARS], line[sizeof(command->text) + 1];

	snprintf(line, sizeof(line), "%s\n", command->text);
	return vx_write_file(name_of(command, name), "driver_override", line);
}

int vx_move_channel(struct vx_command *command)
{
	char name[GUID_CHARS], cpu[12];

	snprintf(cpu, sizeof(cpu), "%llu\n", command->a);
	return vx_write_file(name_of(command, name), "cpu", cpu);
}
