/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls for every memory access (-fsanitize=thread, with these instead of
 * libtsan). KCSAN's hook covers the accesses that are inline assembly.
 */
#include "vx.h"

#define ACCESS(name, size, write)                  \
	void name(void *address)                   \
	{                                          \
		vx_check_access(address, size, write); \
	}
#define ACCESSES(size)                                \
	ACCESS(__tsan_read##size, size, false)            \
	ACCESS(__tsan_write##size, size, true)            \
	ACCESS(__tsan_unaligned_read##size, size, false)  \
	ACCESS(__tsan_unaligned_write##size, size, true)  \
	ACCESS(__tsan_volatile_read##size, size, false)   \
	ACCESS(__tsan_volatile_write##size, size, true)   \
	ACCESS(__tsan_unaligned_volatile_read##size, size, false) \
	ACCESS(__tsan_unaligned_volatile_write##size, size, true)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void *address, size_t size)
{
	if (size)
		vx_check_access(address, size, false);
}

void __tsan_write_range(void *address, size_t size)
{
	if (size)
		vx_check_access(address, size, true);
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
	if (!vx_steps_left--)
		vx_never_ends();
}

void __tsan_func_exit(void)
{
	void **mine = __builtin_frame_address(0); /* the function's own is what it points at */

	vx_frame_ends(mine, *mine, __builtin_return_address(0));
}

void __tsan_init(void)
{
}

void __kcsan_check_access(const volatile void *address, size_t size, int type)
{
	vx_check_access((const void *)address, size, type & 1);
}
