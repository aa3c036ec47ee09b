/* SPDX-License-Identifier: MIT */
/* Where a signal took a context off: what of it is the processor's. */
#ifndef VX_MACHINE_H
#define VX_MACHINE_H

#include <ucontext.h>

#include "vx.h"

static inline const void *code_of(const ucontext_t *context)
{
	return (const void *)context->uc_mcontext.gregs[REG_RIP];
}

static inline const void *frame_of(const ucontext_t *context)
{
	return (const void *)context->uc_mcontext.gregs[REG_RBP];
}

/* What lies on top of the stack, at which a called function finds where to return to. */
static inline const void *const *top_of(const ucontext_t *context)
{
	return (const void *const *)context->uc_mcontext.gregs[REG_RSP];
}

/* Whether it is a return that fails: to where no code is, or to what is no address. */
static inline bool is_returning(const ucontext_t *context)
{
	const void *code = code_of(context), *const *top = top_of(context);

	if (!vx_on_a_stack(top - 1))
		return false;
	return vx_is_ours(code) ? *(const uint8_t *)code == 0xc3 : top[-1] == code;
}

#endif
