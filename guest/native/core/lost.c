/* SPDX-License-Identifier: MIT */
/*
 * What nobody leads to any more, as kmemleak asks: every aligned word that could be an address of an
 * object counts as one, in the library's own data, on living stacks and in objects that are led to.
 * What was freed leads nowhere. A page is also led to by its struct page and where vmap() shows it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "vx.h"

#define OBJECTS_MAX (1u << 20)
#define PAGE_BYTES 4096u
#define STRUCT_PAGE_BYTES 64u
#define PAGES_BYTES (VX_ARENA_BYTES / PAGE_BYTES * STRUCT_PAGE_BYTES)

extern char vx_writable_start[], vx_writable_end[];

static uint8_t *marks; /* of each object, whether somebody leads to it */
static uint32_t *pending, pending_count; /* led to, and not followed yet */

static void lead_to(uintptr_t address)
{
	int64_t number = vx_object_around(address);

	if (number < 0 || marks[number])
		return;
	marks[number] = 1;
	pending[pending_count++] = number;
}

static void follow_word(uintptr_t word)
{
	const void *page = vx_page_behind(word);

	if (word - VX_PAGES_BASE < PAGES_BYTES)
		word = VX_ARENA_BASE + (word - VX_PAGES_BASE) / STRUCT_PAGE_BYTES * PAGE_BYTES;
	lead_to(page ? (uintptr_t)page : word);
}

static void follow(const void *low, const void *high)
{
	const uintptr_t *word = (const uintptr_t *)(((uintptr_t)low + 7) & ~(uintptr_t)7);

	for (; word + 1 <= (const uintptr_t *)high; word++)
		if (*word - VX_ARENA_BASE < VX_PAGES_BASE + PAGES_BYTES - VX_ARENA_BASE)
			follow_word(*word);
}

static void follow_contexts(void)
{
	const struct vx_ctx *ctx;

	for (uint32_t number = 0; (ctx = vx_context(number)); number++) {
		if (ctx->done)
			continue;
		follow(ctx, ctx + 1);
		follow(ctx->sp, ctx->stack + VX_STACK_BYTES);
	}
}

static void follow_roots(void)
{
	struct vx_object object;

	for (int64_t number = -1; (number = vx_next_object(number, &object)) >= 0;)
		if (object.is_root)
			lead_to((uintptr_t)object.address);
}

/* Find out which objects somebody leads to. */
VX_EXPORT void vx_find_lost(void)
{
	struct vx_object object;

	if (!marks) {
		marks = mmap(NULL, OBJECTS_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pending = mmap(NULL, OBJECTS_MAX * sizeof(*pending), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	vx_fill(marks, 0, vx_objects_made());
	follow(vx_writable_start, vx_writable_end);
	follow_contexts();
	follow_roots();
	while (pending_count) {
		vx_next_object((int64_t)pending[--pending_count] - 1, &object);
		follow(object.address, object.address + object.size);
	}
}

/* The next lost object after `after` (-1: from the beginning), and who allocated it; -1 if none. */
VX_EXPORT int64_t vx_next_lost(int64_t after, uint64_t *size, const void **allocated_by)
{
	struct vx_object object;
	int64_t number = after;

	while ((number = vx_next_object(number, &object)) >= 0) {
		if (marks[number])
			continue;
		*size = object.size;
		*allocated_by = object.allocated_by;
		return number;
	}
	return -1;
}
