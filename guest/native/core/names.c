/* SPDX-License-Identifier: MIT */
/*
 * Names: of locks and queues as they were initialised with, of functions and static objects from
 * the table of symbols that the binding hands in, sorted by address.
 */
#include <stdio.h>
#include <string.h>

#include "vx.h"

#define OBJECTS_MAX 8192 /* a power of two */

static struct {
	const void *object;
	const char *name;
} objects[OBJECTS_MAX] VX_LEFT;
static uint16_t used[OBJECTS_MAX] VX_LEFT; /* which of them have an object */
static unsigned used_count;

struct vx_symbol {
	uint64_t address, size;
	const char *name;
};

static const struct vx_symbol *symbols;
static uint32_t symbols_count;

static unsigned slot_of(const void *object)
{
	return (unsigned)(((uintptr_t)object >> 3) * 0x9E3779B97F4A7C15ull >> 51);
}

void vx_name_object(const void *object, const char *name)
{
	unsigned slot = slot_of(object);

	while (objects[slot].object && objects[slot].object != object)
		slot = (slot + 1) % OBJECTS_MAX;
	if (!objects[slot].object)
		used[used_count++] = slot;
	objects[slot].object = object;
	objects[slot].name = name;
}

/* The run is over. */
void vx_forget_names(void)
{
	while (used_count)
		objects[used[--used_count]].object = NULL;
}

VX_EXPORT void vx_set_symbols(const struct vx_symbol *table, uint32_t count)
{
	symbols = table;
	symbols_count = count;
}

static const char *symbol_at(uint64_t address)
{
	uint32_t low = 0, high = symbols_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (symbols[middle].address + symbols[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < symbols_count && symbols[low].address <= address)
		return symbols[low].name;
	return NULL;
}

const char *vx_object_name(const void *object)
{
	unsigned slot = slot_of(object);
	const char *name;

	while (objects[slot].object && objects[slot].object != object)
		slot = (slot + 1) % OBJECTS_MAX;
	name = objects[slot].object ? objects[slot].name : symbol_at((uintptr_t)object);
	return name ? name : "object";
}

const char *vx_function_name(const void *function)
{
	const char *name = symbol_at((uintptr_t)function);

	return name ? name : "function";
}

/* Where a function of that name begins, behind `after` if there are several; NULL if nowhere. */
const void *vx_function_named(const char *name, const void *after)
{
	for (uint32_t i = 0; i < symbols_count; i++)
		if (symbols[i].address > (uintptr_t)after && !strcmp(symbols[i].name, name))
			return (const void *)(uintptr_t)symbols[i].address;
	return NULL;
}

/* The symbol with the next address; NULL behind the last. */
const void *vx_next_function(const void *after)
{
	uint32_t low = 0, high = symbols_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (symbols[middle].address <= (uintptr_t)after)
			low = middle + 1;
		else
			high = middle;
	}
	return low < symbols_count ? (const void *)(uintptr_t)symbols[low].address : NULL;
}

VX_EXPORT const char *vx_function_around(const void *address)
{
	return vx_function_name(address);
}
