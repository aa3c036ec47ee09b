/* SPDX-License-Identifier: GPL-2.0-only */
/* What somebody with a shell in the guest does, each command as a thread; what it refused is noted. */
#include "shell.h"

enum vx_verb { /* guest/native/shell.py sends these numbers */
	VX_LOAD, VX_UNLOAD, VX_BIND_BUS, VX_UNBIND_BUS, VX_OVERRIDE, VX_MOVE_CHANNEL,
	VX_RESCAN, VX_BIND, VX_UNBIND, VX_OPEN, VX_CLOSE, VX_SUBMIT, VX_SET_AFFINITY,
	VX_READ_BLOCK, VX_WRITE_BLOCK, VX_LSPCI, VX_OFFLINE, VX_ONLINE,
	VX_PROCESSES_END, /* what follows is done to all processes, and by none */
	VX_SUSPEND = VX_PROCESSES_END, VX_RESUME, VX_VERBS,
};

/* modprobe: a module that is there already is what was wanted. */
static int load(struct vx_command *command)
{
	int ret = vx_load_module();

	return ret == -EEXIST ? 0 : ret;
}

static int unload(struct vx_command *command)
{
	return vx_unload_module();
}

static const struct { /* `told` names the command in the error that is told; NULL: nobody looks */
	int (*run)(struct vx_command *command);
	const char *told;
} verbs[VX_VERBS] = {
	[VX_LOAD] = { load, "modprobe" },
	[VX_UNLOAD] = { unload, "rmmod" },
	[VX_BIND_BUS] = { vx_bind_bus, "bind" },
	[VX_UNBIND_BUS] = { vx_unbind_bus, "unbind" },
	[VX_OVERRIDE] = { vx_override_bus, "driver_override" },
	[VX_MOVE_CHANNEL] = { vx_move_channel },
	[VX_RESCAN] = { vx_rescan },
	[VX_BIND] = { vx_bind_function },
	[VX_UNBIND] = { vx_unbind_function },
	[VX_OPEN] = { vx_open_function },
	[VX_CLOSE] = { vx_close_function },
	[VX_SUBMIT] = { vx_use_function },
	[VX_SET_AFFINITY] = { vx_set_affinity },
	[VX_READ_BLOCK] = { vx_read_block },
	[VX_WRITE_BLOCK] = { vx_write_block },
	[VX_LSPCI] = { vx_lspci },
	[VX_OFFLINE] = { vx_cpu_offline, "cpu-offline" },
	[VX_ONLINE] = { vx_cpu_online, "cpu-online" },
	[VX_SUSPEND] = { vx_suspend },
	[VX_RESUME] = { vx_resume_machine },
};

struct started {
	u32 verb;
	struct vx_command command;
};

static void run_command(void *argument)
{
	struct started *started = argument;
	const char *told = verbs[started->verb].told;
	bool is_process = started->verb < VX_PROCESSES_END;
	int error;

	if (is_process)
		vx_process_begins();
	error = verbs[started->verb].run(&started->command);
	if (is_process)
		vx_process_ends();
	vx_free(started);
	if (error && told)
		vx_tell(COMMAND_FAILED, told, error);
}

/* Start the command; the new context is the last that was noted. */
VX_EXPORT void vx_shell(const char *title, u32 cpu, u32 verb, const guid_t *instance, u32 devfn,
			u64 a, u64 b, const void *text, u32 size)
{
	struct started *started;
	VX_DOOR;

	started = vx_alloc(sizeof(*started), 8, __builtin_return_address(0));
	vx_is_root(started);
	*started = (struct started){ verb, { .devfn = devfn, .a = a, .b = b } };
	guid_copy(&started->command.instance, instance);
	started->command.size = min_t(u32, size, VX_TEXT_BYTES_MAX);
	vx_copy(started->command.text, text, started->command.size);
	vx_start(VX_THREAD, cpu, title, run_command, started);
}
