/* SPDX-License-Identifier: MIT */
/* The GS base, by which x86 kernels find per-CPU data: by instruction where it is allowed. */
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE (1 << 1)

void vx_set_gs(unsigned long base);

void vx_set_gs(unsigned long base)
{
	static int by_instruction = -1;
	static unsigned long now; /* begins each run as 0, which no base is */

	if (base == now)
		return;
	now = base;
	if (by_instruction < 0)
		by_instruction = !!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE);
	if (by_instruction)
		__asm__ volatile("wrgsbase %0" : : "r"(base));
	else
		syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}
