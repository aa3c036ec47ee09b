/* SPDX-License-Identifier: GPL-2.0-only */
/* A completion is known by what it is initialised as; the kernel itself does not keep that. */
#ifndef VX_LINUX_COMPLETION_H
#define VX_LINUX_COMPLETION_H

#include_next <linux/completion.h>

void vx_init_completion(struct completion *x, const char *name);

#define init_completion(x) vx_init_completion(x, #x)

#endif
