/* SPDX-License-Identifier: GPL-2.0-only */
/* A tasklet that is enabled again runs at once if it was scheduled meanwhile: so that is a call. */
#ifndef VX_LINUX_INTERRUPT_H
#define VX_LINUX_INTERRUPT_H

#include_next <linux/interrupt.h>

void vx_tasklet_enable(struct tasklet_struct *t);

#define tasklet_enable vx_tasklet_enable

#endif
