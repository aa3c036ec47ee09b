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
	struct vx_trail begun, ended;
} objects[OBJECTS_MAX] VX_OWN;
static unsigned objects_count VX_OWN;
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

/* Whose stack an address is on. */
static struct vx_ctx *owner_of(const void *address)
{
	return vx_context(((uintptr_t)address - VX_STACKS_BASE) / VX_STACK_BYTES);
}

/* Whether an address is in the page below a stack, where it would overflow into. */
bool vx_is_guard(const void *address)
{
	return vx_on_a_stack(address) &&
	       ((uintptr_t)address - VX_STACKS_BASE) % VX_STACK_BYTES < GUARD_BYTES;
}

static struct object *object_at(const void *address)
{
	for (unsigned i = 0; i < objects_count; i++)
		if (objects[i].address == address)
			return &objects[i];
	return NULL;
}

/* A place for one more: a new one, or that of an object whose end is long past. */
static struct object *place(void)
{
	static unsigned last;

	if (objects_count < OBJECTS_MAX)
		return &objects[objects_count++];
	for (unsigned tries = 0; tries < OBJECTS_MAX; tries++) {
		last = (last + 1) % OBJECTS_MAX;
		if (objects[last].function)
			return &objects[last];
	}
	return NULL;
}

/* An object is initialised; if that is on a stack, its end is watched. */
void vx_object_begins(const void *address, const char *name)
{
	struct object *object;

	if (!vx_on_a_stack(address))
		return;
	object = object_at(address);
	if (!object || object->function) {
		object = object ? object : place();
		if (!object)
			return;
		vx_stack_objects++;
	}
	object->address = address;
	object->name = name;
	object->function = NULL;
	vx_remember_calls(&object->begun, __builtin_return_address(0));
}

/* A function returns: what lies in its frame, between these two addresses, is dead. */
void vx_frame_holds_objects(const void *low, const void *high, const void *function)
{
	for (unsigned i = 0; i < objects_count; i++) {
		struct object *object = &objects[i];

		if (object->address <= low || object->address >= high || object->function)
			continue;
		object->function = vx_function_name(function);
		vx_remember_calls(&object->ended, function);
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
	if (!object || !object->function)
		return;
	vx_tell_calls("initialised", &object->begun);
	vx_tell_calls("returned", &object->ended);
	vx_finding("dead-stack", "%s of %s, which has returned, is used", object->name,
		   object->function);
}

/* Whether guest code may touch this stack address now. */
void vx_check_stack_access(const void *address, bool write)
{
	const struct vx_ctx *owner = owner_of(address);

	if (owner == vx_current || !owner)
		return;
	if (owner->done || address < owner->sp)
		vx_finding("dead-stack", "%s of a frame of %s that is gone", write ? "write" : "read",
			   owner->title);
}
