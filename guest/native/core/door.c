/* SPDX-License-Identifier: MIT */
/*
 * Out of a call of the other side's in which something is found and no context runs that could be
 * stopped there: a delivery, a command, the boot. What the call had begun stays half done; the run is
 * over with it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vx.h"

static struct vx_door *innermost; /* of the calls that are under way */

void vx_open_door(struct vx_door *door)
{
	door->outer = innermost;
	if (!vx_current)
		innermost = door;
}

void vx_shut_door(struct vx_door *door)
{
	innermost = door->outer;
}

void vx_leave_by_door(void)
{
	if (!innermost) {
		fprintf(stderr, "outside of every context: %s\n", vx_shared.trap.text);
		abort();
	}
	vx_shared.found_outside = 1;
	__builtin_longjmp(innermost->way, 1);
}
