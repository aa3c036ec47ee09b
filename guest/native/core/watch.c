/* SPDX-License-Identifier: MIT */
/*
 * Functions that somebody watches: what they are called with, what they return, and what the context
 * has changed meanwhile whenever others may see it (before every trap and every note). Who watches
 * reads memory and tells; nothing of it changes a run. Knows no function by name.
 */
#include <string.h>
#include <sys/mman.h>

#include "vx.h"

#define WATCHES_MAX 128
#define FILTER_SLOTS 4096 /* watch_x86_64.S counts on it */
#define PAGE_BYTES 4096u

extern const struct vx_watch *const vx_watches_start[], *const vx_watches_end[];

/* Of the bodies of a slot the first, by its place in what is watched, plus one; 0: nobody watches. */
uint8_t vx_watch_filter[FILTER_SLOTS] __attribute__((visibility("hidden")));

static struct {
	const void *body; /* behind the call of __fentry__ */
	const struct vx_watch *what;
	uint8_t next; /* of the slot, plus one */
} watched[WATCHES_MAX];
static uint32_t watched_count;
static bool looking; /* who looks may tell, which looks */

extern char vx_writable_start[]; /* code lies in front of it */
void __fentry__(void);
uint32_t vx_watch_enter(struct vx_watched *call);
void vx_watch_leave(struct vx_watched *call);

static unsigned slot_of(const void *body)
{
	return (uintptr_t)body >> 2 & (FILTER_SLOTS - 1);
}

/* Where a function goes on behind its call of __fentry__; NULL if it has none. */
static const void *body_of(const uint8_t *function)
{
	static const uint8_t mark[] = { 0xf3, 0x0f, 0x1e, 0xfa }; /* endbr64 */

	if (!memcmp(function, mark, sizeof(mark)))
		function += sizeof(mark);
	if (function[0] == 0xe8) /* call rel32 */
		return function + 5;
	if ((function[0] == 0x67 && function[1] == 0xe8) || (function[0] == 0xff && function[1] == 0x15))
		return function + 6; /* the same with a prefix, or through the table of addresses */
	return NULL;
}

static const struct vx_watch *watch_of(const void *body)
{
	for (uint8_t at = vx_watch_filter[slot_of(body)]; at; at = watched[at - 1].next)
		if (watched[at - 1].body == body)
			return watched[at - 1].what;
	return NULL;
}

static void watch(const void *body, const struct vx_watch *what)
{
	uint8_t *first = &vx_watch_filter[slot_of(body)];

	watched[watched_count].body = body;
	watched[watched_count].what = what;
	watched[watched_count].next = *first;
	*first = ++watched_count;
}

/*
 * A function that nobody watches need not come by __fentry__: its call becomes a long no-op, as the kernel's own
 * tracer has it. Where the code cannot be written the calls stay, and cost their time.
 */
static void let_pass(const void *function)
{
	static const uint8_t call[] = { 0x67, 0xe8 }; /* as the linker leaves it, with a prefix */
	static const uint8_t no_op[] = { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	const uint8_t *body = body_of(function);
	uint8_t *site = (uint8_t *)body - sizeof(no_op);
	uintptr_t page = (uintptr_t)site & ~(uintptr_t)(PAGE_BYTES - 1);
	size_t size = (uintptr_t)body - page;
	int32_t distance;

	if (!body || watch_of(body) || memcmp(site, call, sizeof(call)))
		return;
	memcpy(&distance, body - sizeof(distance), sizeof(distance));
	if (body + distance != (const uint8_t *)__fentry__ ||
	    mprotect((void *)page, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return;
	memcpy(site, no_op, sizeof(no_op));
	mprotect((void *)page, size, PROT_READ | PROT_EXEC);
}

static void let_others_pass(void)
{
	const void *function = NULL;

	while ((function = vx_next_function(function)) && (const char *)function < vx_writable_start)
		let_pass(function);
}

/* Find the watched functions; how many there are not in this driver. */
VX_EXPORT uint32_t vx_watch_functions(void)
{
	uint32_t missing = 0;

	watched_count = 0;
	vx_fill(vx_watch_filter, 0, sizeof(vx_watch_filter));
	for (const struct vx_watch *const *each = vx_watches_start; each < vx_watches_end; each++) {
		const void *function = NULL, *body = NULL;

		while (!body && (function = vx_function_named((*each)->function, function)))
			body = body_of(function);
		if (!body || watched_count == WATCHES_MAX) {
			missing++;
			continue;
		}
		watch(body, *each);
	}
	let_others_pass();
	return missing;
}

/* The watched functions that this driver does not have, one after the other; NULL at the end. */
VX_EXPORT const char *vx_next_missing(uint32_t number)
{
	for (const struct vx_watch *const *watch = vx_watches_start; watch < vx_watches_end; watch++) {
		uint32_t i = 0;

		while (i < watched_count && watched[i].what != *watch)
			i++;
		if (i == watched_count && !number--)
			return (*watch)->function;
	}
	return NULL;
}

/* Let those who watch see what the running context has changed. */
void vx_look(void)
{
	if (looking || !vx_current || !vx_current->watched)
		return;
	looking = true;
	for (struct vx_watched *call = vx_current->watched; call; call = call->outer)
		if (call->what->look)
			call->what->look(call);
	looking = false;
}

/* Called before a function's body; whether it is watched, so that its end is to pass here. */
uint32_t vx_watch_enter(struct vx_watched *call)
{
	call->what = watch_of(call->body);
	if (!call->what || !vx_current)
		return 0;
	call->outer = vx_current->watched;
	vx_fill(call->kept, 0, sizeof(call->kept));
	vx_look();
	vx_current->watched = call;
	if (call->what->enter)
		call->what->enter(call);
	return 1;
}

void vx_watch_leave(struct vx_watched *call)
{
	const struct vx_watched *outer = call->outer;

	vx_look();
	if (call->what->leave)
		call->what->leave(call);
	vx_current->watched = call->outer;
	if (outer && outer->what->inner)
		outer->what->inner(call->outer, call);
}

/* The innermost call of that function that the running context is in, from this one outwards. */
struct vx_watched *vx_within(struct vx_watched *call, const char *function)
{
	while (call && strcmp(call->what->function, function))
		call = call->outer;
	return call;
}
