/* SPDX-License-Identifier: GPL-2.0-only */
/* One thread runs all of the guest's CPUs in turn: an instruction needs no lock to be alone. */
#ifndef VX_ASM_ALTERNATIVE_H
#define VX_ASM_ALTERNATIVE_H

#include_next <asm/alternative.h>

#ifndef __ASSEMBLY__
#undef LOCK_PREFIX
#define LOCK_PREFIX ""
#endif

#endif
