/* SPDX-License-Identifier: MIT */
/*
 * Who called whom, by the frame pointers that all code here keeps: of a context that is suspended,
 * and of moments that may have to be told much later. Addresses only; names and lines are the
 * business of whoever reads the debug information.
 */
#include "vx.h"

#define TOLD_MAX 4 /* of one finding, besides the calls of who does it */
#define SKIPPED_MAX 6 /* the allocator's own functions below who is remembered */

static struct told {
	const char *what;
	const struct vx_trail *trail;
} told[TOLD_MAX] VX_OWN;
static uint32_t told_count VX_OWN;

static struct { /* where a context stood when a signal took it off its own code */
	const struct vx_ctx *ctx;
	const void *code, *frame;
} interrupted VX_OWN;

/* The calls that led to this frame, innermost first. A chain that leaves its stack ends there. */
static uint32_t walk(const struct vx_ctx *ctx, void *const *frame, const void **calls, uint32_t most)
{
	const char *low = ctx->stack, *high = ctx->stack + VX_STACK_BYTES;
	uint32_t count = 0;

	while (count < most && !((uintptr_t)frame & 7) && (const char *)frame >= low &&
	       (const char *)(frame + 2) <= high && frame[1]) {
		calls[count++] = frame[1];
		if ((void *const *)frame[0] <= frame)
			break;
		frame = frame[0];
	}
	return count;
}

/* Remember who calls: from the call of `caller` on, where that is among the innermost. */
void vx_remember_calls(struct vx_trail *trail, const void *caller)
{
	const void *calls[VX_TRAIL + SKIPPED_MAX];
	uint32_t count = 0, first = 0;

	if (vx_current)
		count = walk(vx_current, __builtin_frame_address(0), calls, VX_TRAIL + SKIPPED_MAX);
	while (first < SKIPPED_MAX && first < count && calls[first] != caller)
		first++;
	if (first == SKIPPED_MAX || first == count)
		first = 0;
	for (uint32_t i = 0; i < VX_TRAIL; i++)
		trail->calls[i] = first + i < count ?
					  (const char *)calls[first + i] - (const char *)vx_resume :
					  0;
}

/* The next finding is told with these calls as well. */
void vx_tell_calls(const char *what, const struct vx_trail *trail)
{
	if (told_count < TOLD_MAX)
		told[told_count++] = (struct told){ what, trail };
}

/* A signal has come when this code ran in this frame, on the current context's stack. */
void vx_interrupted_at(const void *code, const void *frame)
{
	interrupted.ctx = vx_current;
	interrupted.code = (const char *)code + 1; /* as if it were where a call returns to */
	interrupted.frame = frame;
}

/* Where a suspended context stands: return addresses, innermost first; how many. */
VX_EXPORT uint32_t vx_calls_of(uint32_t id, const void **calls)
{
	const struct vx_ctx *ctx = vx_context(id);

	if (!ctx)
		return 0;
	if (interrupted.ctx != ctx)
		return walk(ctx, ctx->frame, calls, VX_CALLS_MAX);
	calls[0] = interrupted.code;
	return 1 + walk(ctx, interrupted.frame, calls + 1, VX_CALLS_MAX - 1);
}

/* What else belongs to the finding: NULL when there is no more. */
VX_EXPORT const char *vx_told_calls(uint32_t which, const void **calls, uint32_t *count)
{
	if (which >= told_count)
		return NULL;
	for (*count = 0; *count < VX_TRAIL && told[which].trail->calls[*count]; ++*count)
		calls[*count] = (const char *)vx_resume + told[which].trail->calls[*count];
	return told[which].what;
}
