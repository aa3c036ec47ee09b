/* SPDX-License-Identifier: MIT */
/*
 * Symbols that the kernel's files name and nothing provides. Each is a page that nobody may touch, so
 * that calling a function, reading a variable and writing one are all told, with its name. Which there
 * are, the linker's table says (guest/native/linking.py).
 */
#include <sys/mman.h>

#include "vx.h"

#define STUB_BYTES 4096u /* as in linking.py; what is larger is taken for its neighbour */

extern char vx_stubs_start[], vx_stubs_end[];
extern const char *const vx_stub_names[] __attribute__((weak));

int vx_shut_stubs(void)
{
	return mprotect(vx_stubs_start, vx_stubs_end - vx_stubs_start, PROT_NONE);
}

/* The symbol at an address; NULL if it is none of these. */
const char *vx_stub_at(const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)vx_stubs_start;

	return offset < (uintptr_t)(vx_stubs_end - vx_stubs_start) ? vx_stub_names[offset / STUB_BYTES] :
								      NULL;
}
