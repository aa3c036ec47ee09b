/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the architecture has in assembly: memory functions, which look at what they touch as the
 * compiler's own accesses are looked at, and weights of words.
 */
#include <linux/string.h>

#include "shim.h"

void vx_check_access(const void *address, size_t size, bool write);

void *memcpy(void *to, const void *from, size_t size)
{
	if (size) {
		vx_access(from, size, 0, __builtin_return_address(0));
		vx_access(to, size, VX_WRITE, __builtin_return_address(0));
	}
	vx_copy(to, from, size);
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	size_t i;

	if (to <= from)
		return memcpy(to, from, size);
	for (i = size; i--;)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	if (size)
		vx_access(to, size, VX_WRITE, __builtin_return_address(0));
	vx_fill(to, value, size);
	return to;
}

/* --- called by inline assembly that says that nothing is clobbered but the result --- */

unsigned int __attribute__((no_caller_saved_registers)) __sw_hweight32(unsigned int word)
{
	unsigned int weight = 0;

	for (; word; word &= word - 1)
		weight++;
	return weight;
}

unsigned long __attribute__((no_caller_saved_registers)) __sw_hweight64(u64 word)
{
	unsigned long weight = 0;

	for (; word; word &= word - 1)
		weight++;
	return weight;
}
