/* SPDX-License-Identifier: MIT */
/*
 * Every run begins with the same memory: what the library's writable data were when it had been
 * loaded and told its tables is copied back. Stacks and mappings outlive runs.
 */
#include <string.h>
#include <sys/mman.h>

#include "vx.h"

extern char vx_writable_start[], vx_own_end[];

struct vx_pool vx_pool; /* among what is copied back, and put right after that */

void vx_reset_arena(size_t used_before);
size_t vx_arena_used(void);

static char *kept;

void vx_reset(void);

VX_EXPORT int vx_keep(void)
{
	size_t size = vx_own_end - vx_writable_start;

	if (kept) { /* loaded once more in the same process */
		vx_reset();
		return 0;
	}
	kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (kept == MAP_FAILED)
		return -1;
	vx_copy(kept, vx_writable_start, size);
	return 0;
}

static void reset_to(const char *image)
{
	char *copy = kept;
	size_t used = vx_arena_used();
	struct vx_pool pool = vx_pool;

	vx_reset_arena(used);
	vx_forget_names();
	vx_copy(vx_writable_start, image, vx_own_end - vx_writable_start);
	kept = copy;
	vx_pool = pool;
	vx_pool.given = 0;
	vx_watch_on();
	vx_race_reset();
}

VX_EXPORT void vx_reset(void)
{
	reset_to(kept);
	vx_fill(&vx_shared, 0, offsetof(struct vx_shared, notes));
}

/* --- a machine that has been told its tables and not been booted --- */

static char *ready VX_LEFT; /* the writable data, and behind them the front of vx_shared */

VX_EXPORT int vx_keep_ready(void)
{
	size_t size = vx_own_end - vx_writable_start;
	size_t front = offsetof(struct vx_shared, notes);

	if (!ready)
		ready = mmap(NULL, size + front, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	if (ready == MAP_FAILED || vx_arena_used())
		return -1;
	vx_copy(ready, vx_writable_start, size);
	vx_copy(ready + size, &vx_shared, front);
	return 0;
}

void vx_reset_to_ready(void);

void vx_reset_to_ready(void)
{
	reset_to(ready);
	vx_copy(&vx_shared, ready + (vx_own_end - vx_writable_start), offsetof(struct vx_shared, notes));
}
