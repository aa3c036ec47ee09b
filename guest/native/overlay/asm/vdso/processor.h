/* SPDX-License-Identifier: GPL-2.0-only */
/* Whoever spins lets others go on: without that nobody would ever end what it waits for. */
#ifndef VX_ASM_VDSO_PROCESSOR_H
#define VX_ASM_VDSO_PROCESSOR_H

#define cpu_relax vx_native_cpu_relax
#include_next <asm/vdso/processor.h>
#undef cpu_relax

void vx_relax(void);
#define cpu_relax vx_relax

#endif
