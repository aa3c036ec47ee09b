/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module of the driver: loaded at boot, unloaded and loaded again. After kernel/module/main.c;
 * knows nothing of what the driver does.
 *
 * Model: the module's static data are not new with each load: what its exit leaves in them stays.
 */
#include <linux/module.h>

#include "shell.h"

int vx_load_driver(void); /* driver.c */
void vx_unload_driver(void);

static enum { ABSENT, COMING, LIVE, GOING } state;
static struct vx_queue settled = { NULL, &settled.head, "module_wq" };

static void settle(int to)
{
	state = to;
	vx_wake_all(&settled);
}

/* finit_module(): 0, what init returned, -EEXIST for one that is there, -EBUSY for one that goes. */
int vx_load_module(void)
{
	int ret;

	if (state != ABSENT) {
		while (state == COMING)
			vx_park(&settled, settled.name, VX_NEVER);
		return state == LIVE ? -EEXIST : -EBUSY;
	}
	state = COMING;
	ret = vx_load_driver();
	settle(ret ? ABSENT : LIVE);
	return ret;
}

/* delete_module(): 0, -ENOENT if it is not there, -EBUSY while it comes or goes. */
int vx_unload_module(void)
{
	if (state != LIVE)
		return state == ABSENT ? -ENOENT : -EBUSY;
	state = GOING;
	vx_unload_driver();
	settle(ABSENT);
	return 0;
}

static int __init load_at_boot(void)
{
	return vx_load_module();
}
device_initcall(load_at_boot);
