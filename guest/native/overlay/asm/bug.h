/* SPDX-License-Identifier: GPL-2.0-only */
/* BUG() and WARN() as calls of functions, instead of an instruction that traps. */
#ifndef _ASM_X86_BUG_H
#define _ASM_X86_BUG_H

#include <linux/instrumentation.h>
#include <asm-generic/bug.h>

#endif
