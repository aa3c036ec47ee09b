/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls for every memory access (-fsanitize=thread, with these instead of
 * libtsan). KCSAN's hook covers the accesses that are inline assembly.
 */
#include "vx.h"

#define KCSAN_WRITE 1 /* as the kernel has them */
#define KCSAN_ATOMIC 4

#define ACCESS(name, size, flags)                                               \
	void name(void *address)                                                \
	{                                                                       \
		vx_access(address, size, flags, __builtin_return_address(0));   \
	}
#define ACCESSES(size)                                                          \
	ACCESS(__tsan_read##size, size, 0)                                      \
	ACCESS(__tsan_write##size, size, VX_WRITE)                              \
	ACCESS(__tsan_unaligned_read##size, size, 0)                            \
	ACCESS(__tsan_unaligned_write##size, size, VX_WRITE)                    \
	ACCESS(__tsan_volatile_read##size, size, VX_MARKED)                     \
	ACCESS(__tsan_volatile_write##size, size, VX_WRITE | VX_MARKED)         \
	ACCESS(__tsan_unaligned_volatile_read##size, size, VX_MARKED)           \
	ACCESS(__tsan_unaligned_volatile_write##size, size, VX_WRITE | VX_MARKED)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void *address, size_t size)
{
	if (size)
		vx_access(address, size, 0, __builtin_return_address(0));
}

void __tsan_write_range(void *address, size_t size)
{
	if (size)
		vx_access(address, size, VX_WRITE, __builtin_return_address(0));
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
	uint32_t flags = (type & KCSAN_WRITE ? VX_WRITE : 0) | (type & KCSAN_ATOMIC ? VX_MARKED : 0);

	vx_access((const void *)address, size, flags, __builtin_return_address(0));
}
