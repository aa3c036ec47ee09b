/* SPDX-License-Identifier: MIT */
/* What the core asks of whoever stands on it, and how tests start things. */
#include "toy.h"

VX_EXPORT void toy_start(const char *title, unsigned cpu, void (*entry)(void *));
VX_EXPORT void toy_deliver(uint32_t count);
VX_EXPORT uint64_t toy_digest(void);

void *toy_new(size_t size)
{
	return vx_alloc(size, 16, __builtin_return_address(0));
}

void toy_free(void *object)
{
	vx_free_for(object, __builtin_return_address(0));
}

void toy_note(const char *text)
{
	vx_log(text);
}

void toy_start(const char *title, unsigned cpu, void (*entry)(void *))
{
	vx_start(VX_THREAD, cpu, title, entry, NULL);
}

static void take(void *argument)
{
	(void)argument;
}

/* As a host delivers interrupts: no context runs, and each starts one. */
void toy_deliver(uint32_t count)
{
	VX_DOOR;
	while (count--)
		vx_start(VX_HARDIRQ, 0, "interrupt", take, NULL);
}

/* Of all memory that the guest can have written, so that two runs can be compared. */
uint64_t toy_digest(void)
{
	const uint64_t *word = (const uint64_t *)VX_ARENA_BASE;
	uint64_t digest = 14695981039346656037ull;

	for (size_t i = 0; i < (1 << 20) / sizeof(*word); i++)
		digest = (digest ^ word[i]) * 1099511628211ull;
	return digest;
}

void vx_shim_switched_in(struct vx_ctx *ctx)
{
	(void)ctx;
}

void vx_shim_switching_out(struct vx_ctx *ctx)
{
	(void)ctx;
}

void vx_shim_depths(struct vx_trap *trap)
{
	trap->preempt_off = trap->bh_off = trap->irqs_off = trap->held = 0;
}
