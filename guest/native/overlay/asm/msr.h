/* SPDX-License-Identifier: GPL-2.0-only */
/* Model-specific registers: a read or write becomes a call. */
#ifndef VX_ASM_MSR_H
#define VX_ASM_MSR_H

#include_next <asm/msr.h>

unsigned long long vx_get_msr(unsigned int reg);
void vx_set_msr(unsigned int reg, unsigned long long value);

#undef rdmsrl
#undef wrmsrl
#define rdmsrl(reg, value) ((value) = vx_get_msr(reg))
#define wrmsrl(reg, value) vx_set_msr(reg, value)

#endif
