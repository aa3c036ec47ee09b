/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The freezer: user processes stand still while the machine hibernates. After kernel/power/process.c.
 *
 * Model: a process is one of the shell's commands, and freezes before it enters the kernel: it does
 * nothing in user space. Kernel threads and works go on, also those that Linux would freeze.
 */
#include "shell.h"
#include "telling.h"

#define FREEZE_TIMEOUT_NS (20ull * NSEC_PER_SEC) /* freeze_timeout_msecs */

static struct vx_queue refrigerator = { NULL, &refrigerator.head, "refrigerator" };
static struct vx_queue left = { NULL, &left.head, "try_to_freeze_tasks" };
static unsigned int busy;
static bool is_frozen;

void vx_process_begins(void)
{
	while (is_frozen)
		vx_park(&refrigerator, refrigerator.name, VX_NEVER);
	busy++;
}

void vx_process_ends(void)
{
	busy--;
	vx_wake_all(&left);
}

void vx_thaw_processes(void)
{
	is_frozen = false;
	vx_wake_all(&refrigerator);
}

/* 0, or -EBUSY if one of them stays in the kernel for 20 s. */
int vx_freeze_processes(void)
{
	u64 deadline_ns = vx_shared.now_ns + FREEZE_TIMEOUT_NS;

	is_frozen = true;
	while (busy)
		if (!vx_park(&left, left.name, deadline_ns))
			break;
	if (!busy) {
		vx_tell(PROCESSES_FROZEN, NULL);
		return 0;
	}
	pr_err("Freezing user space processes failed after 20 seconds (%u tasks)\n", busy);
	vx_thaw_processes();
	return -EBUSY;
}
