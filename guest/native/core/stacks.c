/* SPDX-License-Identifier: MIT */
/*
 * The contexts' stacks: one beside the other in one range of addresses, so that of any address it is
 * known whose stack it is on. What lies below where a suspended context's stack stands is dead; so is
 * an object on a stack once the function whose it was has returned, even if the place is in use again.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

#include "vx.h"

#define GUARD_BYTES 4096u
#define OBJECTS_MAX 256 /* on stacks at any time: completions, works, wait queue entries */

static char *const stacks = (char *)VX_STACKS_BASE;

static struct object {
	const void *address;
	const char *name;
	const char *function; /* that has returned; NULL while the object is alive */
} objects[OBJECTS_MAX] VX_OWN;
static unsigned objects_count;
unsigned vx_stack_objects; /* of them alive */

/* A stack that nobody in this run has had. */
char *vx_take_stack(void)
{
	char *stack = stacks + (size_t)vx_pool.given * VX_STACK_BYTES;

	if (vx_pool.given == vx_pool.made) {
		if (mmap(stack, VX_STACK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != stack)
			vx_finding("crash", "no memory for another stack");
		mprotect(stack, GUARD_BYTES, PROT_NONE);
		vx_pool.made++;
	}
	vx_pool.given++;
	return stack;
}

static struct object *object_at(const void *address)
{
	for (unsigned i = 0; i < objects_count; i++)
		if (objects[i].address == address)
			return &objects[i];
	return NULL;
}

/* An object is initialised; if that is on a stack, its end is watched. */
void vx_object_begins(const void *address, const char *name)
{
	struct object *object;

	if (!vx_on_a_stack(address))
		return;
	object = object_at(address);
	if (!object) {
		if (objects_count == OBJECTS_MAX)
			return;
		object = &objects[objects_count++];
		vx_stack_objects++;
	} else if (object->function) {
		vx_stack_objects++;
	}
	*object = (struct object){ address, name, NULL };
}

/* A function returns: what lies in its frame, between these two addresses, is dead. */
void vx_frame_holds_objects(const void *low, const void *high, const void *function)
{
	for (unsigned i = 0; i < objects_count; i++) {
		if (objects[i].address <= low || objects[i].address >= high || objects[i].function)
			continue;
		objects[i].function = vx_function_name(function);
		vx_stack_objects--;
	}
}

/* Somebody uses an object by its address. */
void vx_object_used(const void *address)
{
	const struct object *object;

	if (!vx_on_a_stack(address))
		return;
	object = object_at(address);
	if (object && object->function)
		vx_finding("dead-stack", "%s of %s, which has returned, is used", object->name,
			   object->function);
}

/* Whether guest code may touch this stack address now. */
void vx_check_stack_access(const void *address, bool write)
{
	uint32_t number = ((uintptr_t)address - VX_STACKS_BASE) / VX_STACK_BYTES;
	const struct vx_ctx *owner = vx_context(number);

	if (owner == vx_current || !owner)
		return;
	if (owner->done || address < owner->sp)
		vx_finding("dead-stack", "%s of a frame of %s that is gone", write ? "write" : "read",
			   owner->title);
}
