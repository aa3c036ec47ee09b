/* SPDX-License-Identifier: MIT */
/*
 * Contexts with stacks of their own, and waiting. Whoever chooses the order sits on the other side
 * of vx_resume(): here a context only runs until it suspends. Knows no lock and no kernel.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "vx.h"


struct vx_shared vx_shared VX_EXPORT VX_LEFT;
struct vx_ctx *vx_current;
uint32_t vx_resumes;

static struct vx_ctx contexts[VX_CONTEXTS_MAX] VX_LEFT;
static uint32_t contexts_made;
static void *main_sp;

void vx_switch(void **save, void *load);

void vx_queue_init(struct vx_queue *queue, const char *name)
{
	queue->head = NULL;
	queue->tail = &queue->head;
	queue->name = name;
}

/* Off the context's stack, to whoever called vx_resume(). */
static void leave(enum vx_trap_kind kind)
{
	struct vx_ctx *ctx = vx_current;

	if (vx_races)
		vx_race_settle();
	vx_look();
	vx_shared.trap.kind = kind;
	vx_shared.trap.ctx = ctx->id;
	vx_shared.trap.held = ctx->held_count;
	vx_shim_depths(&vx_shared.trap);
	vx_shim_switching_out(ctx);
	ctx->frame = __builtin_frame_address(0);
	vx_current = NULL;
	vx_switch(&ctx->sp, main_sp);
}

static void first_step(void)
{
	vx_current->entry(vx_current->argument);
	vx_current->done = true;
	leave(VX_ENDED);
	__builtin_unreachable();
}

struct vx_ctx *vx_start(enum vx_kind kind, unsigned cpu, const char *title,
			void (*entry)(void *), void *argument)
{
	struct vx_ctx *ctx;
	void **top;

	if (contexts_made == VX_CONTEXTS_MAX)
		vx_finding("hang", "more than %u contexts in one run", VX_CONTEXTS_MAX);
	ctx = &contexts[contexts_made];
	vx_fill(ctx, 0, sizeof(*ctx));
	ctx->id = contexts_made++;
	ctx->kind = kind;
	ctx->cpu = cpu;
	ctx->entry = entry;
	ctx->argument = argument;
	snprintf(ctx->title, sizeof(ctx->title), "%s", title);
	ctx->stack = vx_take_stack();
	/* As if it had called vx_switch() from first_step(): six registers, then where to go on. */
	top = (void **)(ctx->stack + VX_STACK_BYTES) - 1; /* aligned as after a call */
	*--top = (void *)first_step;
	vx_fill(top -= 6, 0, 6 * sizeof(*top));
	ctx->sp = top;
	if (vx_races)
		vx_race_starts(ctx);
	vx_note(VX_STARTED, ctx);
	return ctx;
}

/* Let a context run until it suspends; what it suspended for is in vx_shared.trap. */
void vx_resume(uint32_t id)
{
	struct vx_ctx *ctx = &contexts[id];

	vx_current = ctx;
	vx_shared.trap.owner = 0;
	vx_resumes++;
	vx_steps_left = VX_STEPS_MAX;
	vx_shim_switched_in(ctx);
	vx_switch(&main_sp, ctx->sp);
}

struct vx_ctx *vx_context(uint32_t number)
{
	return number < contexts_made ? &contexts[number] : NULL;
}

VX_EXPORT const char *vx_title(uint32_t id)
{
	return contexts[id].title;
}

VX_EXPORT uint32_t vx_kind_of(uint32_t id)
{
	return contexts[id].kind;
}

VX_EXPORT uint32_t vx_cpu_of(uint32_t id)
{
	return contexts[id].cpu;
}

/* Its CPU is gone: it goes on at another. */
void vx_move(uint32_t id, uint32_t cpu)
{
	contexts[id].cpu = cpu;
}

/* The name of a point is put together for who wants it: vx_what(). */
void vx_point_named(const char *verb, const char *name)
{
	if (!vx_shared.crowded)
		return;
	vx_shared.trap.what = verb;
	vx_shared.trap.text = name;
	vx_shared.trap.a = 0;
	leave(VX_AT_POINT);
}

void vx_point(const char *verb, const void *object)
{
	if (!vx_shared.crowded)
		return;
	vx_shared.trap.what = verb;
	vx_shared.trap.text = NULL;
	vx_shared.trap.a = (uintptr_t)object;
	leave(VX_AT_POINT);
}

/* What the context that has just stopped is stopped at, as schedules have it. */
VX_EXPORT const char *vx_what(void)
{
	static char point_name[160];
	const struct vx_trap *trap = &vx_shared.trap;
	const char *name = trap->text;

	if (trap->kind != VX_AT_POINT)
		return trap->what;
	if (trap->a)
		name = vx_object_name((const void *)trap->a);
	snprintf(point_name, sizeof(point_name), name ? "%s %s" : "%s", trap->what, name);
	return point_name;
}

/* Wait on a queue (none: for a wake-up by name, or for time); whether it was woken. */
bool vx_park(struct vx_queue *queue, const char *why, uint64_t deadline_ns)
{
	struct vx_ctx *ctx = vx_current;

	ctx->queue = queue;
	ctx->next = NULL;
	if (queue) {
		*queue->tail = ctx;
		queue->tail = &ctx->next;
	}
	vx_shared.trap.what = why;
	vx_shared.trap.deadline_ns = deadline_ns;
	leave(VX_PARKED);
	vx_acquire(ctx);
	if (queue && ctx->queue == queue) { /* nobody took it off: the deadline passed */
		struct vx_ctx **link = &queue->head;

		while (*link != ctx)
			link = &(*link)->next;
		*link = ctx->next;
		if (queue->tail == &ctx->next)
			queue->tail = link;
		ctx->queue = NULL;
		return false;
	}
	return true;
}

void vx_wake(struct vx_ctx *ctx)
{
	vx_order(ctx); /* as by the lock of its run queue */
	vx_note(VX_WOKEN, ctx);
}

bool vx_wake_one(struct vx_queue *queue)
{
	struct vx_ctx *ctx = queue->head;

	if (!ctx)
		return false;
	queue->head = ctx->next;
	if (!queue->head)
		queue->tail = &queue->head;
	ctx->queue = NULL;
	vx_wake(ctx);
	return true;
}

void vx_wake_all(struct vx_queue *queue)
{
	while (vx_wake_one(queue))
		;
}

uint64_t vx_ask(enum vx_request request, uint64_t a, uint64_t b, uint64_t c, unsigned size)
{
	struct vx_trap *trap = &vx_shared.trap;

	trap->request = request;
	trap->a = a;
	trap->b = b;
	trap->c = c;
	trap->size = size;
	vx_order(&vx_shared); /* what the host does then, it does after this */
	leave(VX_ASKS);
	vx_current->asked++;
	vx_current->answer = trap->answer;
	return trap->answer;
}

static char finding_text[512];
bool vx_telling;

void vx_finding(const char *kind, const char *format, ...)
{
	va_list arguments;

	if (!vx_telling) { /* else what it is told with has faulted */
		vx_telling = true;
		va_start(arguments, format);
		vsnprintf(finding_text, sizeof(finding_text), format, arguments);
		va_end(arguments);
	}
	vx_shared.trap.what = kind;
	vx_shared.trap.text = finding_text;
	if (!vx_current)
		vx_leave_by_door();
	for (;;)
		leave(VX_FOUND);
}
