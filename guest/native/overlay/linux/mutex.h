/* SPDX-License-Identifier: GPL-2.0-only */
/* A lock is known by what it is initialised as; a kernel that debugs no locks forgets that in a header. */
#ifndef VX_LINUX_MUTEX_H
#define VX_LINUX_MUTEX_H

#include_next <linux/mutex.h>
#include <generated/vx-features.h>

#if VX_MUTEX_INIT_IS_INLINE
void vx_init_mutex(struct mutex *lock, const char *name);

#define __mutex_init(lock, name, key) vx_init_mutex(lock, name)
#endif

#endif
