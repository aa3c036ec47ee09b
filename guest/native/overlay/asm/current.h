/* SPDX-License-Identifier: GPL-2.0-only */
/* Before 6.2 `current` was read by an absolute 32-bit address, which a shared object does not have. */
#ifndef VX_ASM_CURRENT_H
#define VX_ASM_CURRENT_H

#include_next <asm/current.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#undef current
#define current this_cpu_read(current_task)
#endif

#endif
