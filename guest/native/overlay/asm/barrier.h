/* SPDX-License-Identifier: GPL-2.0-only */
/* One thread runs all of the guest's CPUs in turn: whoever comes next sees what was done before. */
#ifndef VX_ASM_BARRIER_H
#define VX_ASM_BARRIER_H

#include_next <asm/barrier.h>

#undef __mb
#undef __rmb
#undef __wmb
#undef __smp_mb
#define __mb() barrier()
#define __rmb() barrier()
#define __wmb() barrier()
#define __smp_mb() barrier()

#endif
