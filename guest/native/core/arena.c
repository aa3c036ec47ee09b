/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory: one arena at a fixed address, so that a run is the same in every process. What
 * was freed is not used again within a run, and a shadow knows of every eight bytes what they are.
 * Guest-physical addresses are these addresses. Pages can be seen at a second address (vmap).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vx.h"

#define HEADER_BYTES 104u
#define REDZONE_BYTES 32u
#define PAGE_BYTES 4096u
#define OBJECTS_MAX (1u << 20)
#define ALIAS_BASE (VX_ARENA_BASE + (1ull << 40))
#define ALIAS_BYTES (256u << 20)
#define PLACED_BYTES (2 * VX_ARENA_BYTES) /* of those: where pages show whose place says where */
#define ADDRESS_BITS 47 /* that a process has; list poison has more */

struct header { /* just below the object */
	uint64_t magic;
	size_t size;
	const void *allocated_by, *freed_by; /* where in the kernel's code */
	struct vx_trail allocated, freed;
	uint64_t is_root; /* nobody needs to lead to it */
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "a header lies between two objects");

#define LIVE_MAGIC 0x6c697665206f626aull
#define DEAD_MAGIC 0x64656164206f626aull

static char *const arena = (char *)VX_ARENA_BASE;
static size_t used;
static uint32_t *objects; /* offsets of all objects of this run, live and dead, rising */
static uint32_t objects_count;
static uint64_t aliased; /* behind PLACED_BYTES */
/* Of each page of aliases, which page of the arena is seen there, and one more: the last run's stay. */
static uint32_t seen_there[ALIAS_BYTES / PAGE_BYTES] VX_LEFT;
static uint64_t living; /* a digest of what is alive, however it came about */
static int backing = -1;
uint8_t *vx_shadow; /* mapped beside the arena: too large to be copied back with the rest */

static int make_arena(void)
{
	backing = memfd_create("vpcisim guest memory", 0);
	if (backing < 0 || ftruncate(backing, VX_ARENA_BYTES) < 0)
		return -1;
	vx_shadow = mmap(NULL, VX_ARENA_BYTES / 8, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	objects = mmap(NULL, OBJECTS_MAX * sizeof(*objects), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return vx_shadow == MAP_FAILED || objects == MAP_FAILED ? -1 : 0;
}

uintptr_t vx_ours_low, vx_ours_high;

/* Take the arena's addresses; a library that had them before, in the same process, has lost them. */
VX_EXPORT int vx_map_arena(void)
{
	/* The linker's own names for both ends of the shared object; the executable has the same. */
	extern const char __ehdr_start[] __attribute__((visibility("hidden")));
	extern const char _end[] __attribute__((visibility("hidden")));

	vx_ours_low = (uintptr_t)__ehdr_start;
	vx_ours_high = (uintptr_t)_end;
	if (backing < 0 && make_arena())
		return -1;
	if (mmap(arena, VX_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, backing, 0) !=
	    arena)
		return -1;
	vx_fill(seen_there, 0, sizeof(seen_there));
	/* What the kernel keeps of each page lies where it computes it from the page's number. */
	if (mmap((void *)VX_PAGES_BASE, VX_ARENA_BYTES / PAGE_BYTES * 64, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -1;
	return 0;
}

static bool inside(const void *address)
{
	return (uintptr_t)address - VX_ARENA_BASE < VX_ARENA_BYTES;
}

static uint8_t *shade(const void *address)
{
	return &vx_shadow[((uintptr_t)address - VX_ARENA_BASE) / 8];
}

static uint64_t digest_of(const struct header *header)
{
	uint64_t mixed = header->size * 0x9E3779B97F4A7C15ull ^ (uintptr_t)header->allocated_by;

	mixed *= 0xBF58476D1CE4E5B9ull;
	return mixed ^ mixed >> 31;
}

uint64_t vx_arena_digest(void);

uint64_t vx_arena_digest(void)
{
	return living;
}

static struct header *header_of(const void *object)
{
	return (struct header *)((uintptr_t)object - sizeof(struct header));
}

void *vx_alloc(size_t size, size_t align, const void *caller)
{
	size_t start = (used + HEADER_BYTES + align - 1) & ~(align - 1);
	size_t rounded = (size + 7) & ~(size_t)7;
	void *object = arena + start;

	if (start + rounded + REDZONE_BYTES > VX_ARENA_BYTES)
		return NULL;
	used = start + rounded + REDZONE_BYTES;
	if (objects_count == OBJECTS_MAX)
		return NULL;
	objects[objects_count++] = start;
	*header_of(object) = (struct header){ .magic = LIVE_MAGIC, .size = size, .allocated_by = caller };
	living += digest_of(header_of(object));
	vx_remember_calls(&header_of(object)->allocated, caller);
	vx_fill(shade(object), VX_LIVE, rounded / 8);
	vx_fill(shade((char *)object + rounded), VX_REDZONE, REDZONE_BYTES / 8);
	if (vx_races)
		vx_race_allocated(object, size, caller);
	return object;
}

static void tell_history(const struct header *header)
{
	if (header->magic == DEAD_MAGIC)
		vx_tell_calls("freed", &header->freed);
	vx_tell_calls("allocated", &header->allocated);
}

void vx_free_for(void *object, const void *caller)
{
	struct header *header = header_of(object);

	if (!inside(object) || (header->magic != LIVE_MAGIC && header->magic != DEAD_MAGIC))
		vx_finding("double-free", "%p was never allocated", object);
	if (header->magic == DEAD_MAGIC) {
		tell_history(header);
		vx_finding("double-free", "an object of %s, freed by %s, is freed again",
			   vx_function_name(header->allocated_by), vx_function_name(header->freed_by));
	}
	living -= digest_of(header);
	header->magic = DEAD_MAGIC;
	header->freed_by = caller;
	vx_remember_calls(&header->freed, caller);
	vx_fill(shade(object), VX_FREED, (header->size + 7) / 8);
}

size_t vx_size_of(const void *object)
{
	return header_of(object)->size;
}

/* Whether an object begins there and has not been freed. */
bool vx_is_live(const void *object)
{
	return inside(object) && header_of(object)->magic == LIVE_MAGIC;
}

bool vx_readable(const void *address, size_t size)
{
	return inside(address) && inside((const char *)address + size - 1);
}

static uint32_t page_number(const void *page)
{
	return ((const char *)page - arena) / PAGE_BYTES;
}

/*
 * Whether these lie side by side and none is shown more than twice, as those of a ring: then there is
 * room for all that they show, and a page that faults, in twice their space. Who shows pages in two
 * ways at once is not thought of.
 */
static bool has_a_place(void *const *pages, unsigned count)
{
	uint32_t first = page_number(pages[0]), span = count / 2 + 1;

	for (unsigned i = 0; i < count; i++)
		if (page_number(pages[i]) - first >= span)
			return false;
	return true;
}

/*
 * One range of addresses under which these pages are seen, in this order. Where pages have a place
 * there, they are likely to be seen there from an earlier run, which asks nothing of the system.
 */
void *vx_alias_pages(void *const *pages, unsigned count)
{
	uint64_t offset = PLACED_BYTES + aliased;

	if (has_a_place(pages, count))
		offset = 2ull * page_number(pages[0]) * PAGE_BYTES;
	else
		aliased += (uint64_t)(count + 1) * PAGE_BYTES; /* and a page that faults */
	if (offset + (uint64_t)count * PAGE_BYTES > ALIAS_BYTES)
		return NULL;
	for (unsigned i = 0; i < count; i++) {
		uint32_t number = page_number(pages[i]), *seen = &seen_there[offset / PAGE_BYTES + i];

		if (*seen == number + 1)
			continue;
		*seen = number + 1;
		if (mmap((char *)ALIAS_BASE + offset + (size_t)i * PAGE_BYTES, PAGE_BYTES,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, backing,
			 (off_t)number * PAGE_BYTES) == MAP_FAILED)
			return NULL;
	}
	return (char *)ALIAS_BASE + offset;
}

/* The page that an address of such a range shows; NULL if it lies in none. */
const void *vx_page_behind(uintptr_t address)
{
	if (address - ALIAS_BASE >= ALIAS_BYTES || !seen_there[(address - ALIAS_BASE) / PAGE_BYTES])
		return NULL;
	return arena + (seen_there[(address - ALIAS_BASE) / PAGE_BYTES] - 1ull) * PAGE_BYTES;
}

void vx_unalias(void *address)
{
	(void)address; /* stays mapped, for the next run, too */
}

/* The number of the object that an address lies in or just behind, from 1; 0 below the first. */
static uint32_t number_around(const void *address)
{
	uint32_t offset = (uintptr_t)address - VX_ARENA_BASE, low = 0, high = objects_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (objects[middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* An object of ours, or one that is found by other means than its address; it is never lost. */
void vx_is_root(const void *object)
{
	header_of(object)->is_root = true;
}

uint32_t vx_objects_made(void)
{
	return objects_count;
}

/* The next live object after `after` (-1: from the beginning); -1 if there is none. */
int64_t vx_next_object(int64_t after, struct vx_object *object)
{
	for (uint32_t number = after + 1; number < objects_count; number++) {
		const struct header *header = header_of(arena + objects[number]);

		if (header->magic != LIVE_MAGIC)
			continue;
		*object = (struct vx_object){ arena + objects[number], header->size,
					      header->allocated_by, header->is_root };
		return number;
	}
	return -1;
}

/* The number of the live object that an address lies in or just behind; -1 if there is none. */
int64_t vx_object_around(uintptr_t address)
{
	uint32_t number;
	const struct header *header;

	if (address - VX_ARENA_BASE >= used)
		return -1;
	number = number_around((const void *)address);
	if (!number)
		return -1;
	header = header_of(arena + objects[number - 1]);
	if (header->magic != LIVE_MAGIC ||
	    address - VX_ARENA_BASE > objects[number - 1] + header->size)
		return -1;
	return number - 1;
}

static const struct header *header_around(const void *address)
{
	uint32_t number = inside(address) ? number_around(address) : 0;

	return number ? header_of(arena + objects[number - 1]) : NULL;
}

bool vx_is_of(const void *address, uintptr_t low, uintptr_t high)
{
	const struct header *header = header_around(address);

	return header && (uintptr_t)header->allocated_by - low < high - low;
}

/* Memory that is not the guest's own, or of which each CPU has its part. */
bool vx_is_apart(const void *address)
{
	const struct header *header = header_around(address);

	return header && header->is_root;
}

/* In words: which object an address is in, and where. */
void vx_describe(const void *address, char *text, size_t size)
{
	const struct header *header = header_around(address);

	if (header)
		snprintf(text, size, "byte %zu of %zu of an object of %s",
			 (size_t)((const char *)address - (const char *)(header + 1)), header->size,
			 vx_function_name(header->allocated_by));
	else
		snprintf(text, size, "%s", vx_on_a_stack(address) ? "a stack" : vx_object_name(address));
}

/* An access to memory that is not the guest's to touch, or not any more. */
void vx_tell_of(const void *address, size_t size, bool write)
{
	const uint8_t *bad = shade(address);
	uint32_t number = number_around(address);
	const struct header *header = number ? header_of(arena + objects[number - 1]) : NULL;
	const char *what = write ? "write" : "read";

	if (vx_telling || !vx_current)
		return;
	while (*bad == VX_LIVE)
		bad++;
	if (!header)
		vx_finding("out-of-bounds", "%s of %zu bytes where nothing was allocated", what, size);
	tell_history(header);
	if (*bad == VX_FREED)
		vx_finding("use-after-free", "%s of %zu bytes of an object of %s, freed by %s", what, size,
			   vx_function_name(header->allocated_by), vx_function_name(header->freed_by));
	vx_finding("out-of-bounds", "%s of %zu bytes, %zd into an object of %zu of %s", what, size,
		   (const char *)address - (const char *)(header + 1), header->size,
		   vx_function_name(header->allocated_by));
}

/*
 * An access to none of the usual places: what nobody has given to the guest may be Python's. Page zero
 * and what is no address are left to fault, which tells more.
 */
void vx_check_elsewhere(const void *address, size_t size, bool write)
{
	uintptr_t at = (uintptr_t)address;

	if (!vx_current || vx_telling || at - ALIAS_BASE < ALIAS_BYTES ||
	    at - VX_PAGES_BASE < VX_ARENA_BYTES / PAGE_BYTES * 64)
		return;
	if (at < PAGE_BYTES || at >> ADDRESS_BITS)
		return;
	vx_finding("crash", "%s of %zu bytes at %#lx, where the guest has no memory",
		   write ? "write" : "read", size, (unsigned long)at);
}

/* Forget everything that was allocated; the shadow of what was used is cleared, and the bytes. */
void vx_reset_arena(size_t used_before)
{
	vx_fill(vx_shadow, VX_NOTHING, used_before / 8 + 8);
	vx_fill(arena, 0, used_before);
}

size_t vx_arena_used(void)
{
	return used;
}
