/* SPDX-License-Identifier: MIT */
/*
 * A fault of the processor in guest code becomes a finding: where it happened, on which address. What
 * happens outside of guest code is left to whoever handled it before.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "vx.h"

#define ALTERNATE_BYTES (64u << 10)
#define NULL_PAGE 4096u

static const int caught[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
static struct sigaction before[sizeof(caught) / sizeof(*caught)];

static void on_fault(int number, siginfo_t *info, void *argument)
{
	const ucontext_t *context = argument;
	uintptr_t address = (uintptr_t)info->si_addr;
	const void *code = (const void *)context->uc_mcontext.gregs[REG_RIP];

	if (!vx_current) {
		for (unsigned i = 0; i < sizeof(caught) / sizeof(*caught); i++)
			if (caught[i] == number)
				sigaction(number, &before[i], NULL);
		return; /* the same instruction faults again, now as before */
	}
	if (number == SIGSEGV && address < NULL_PAGE && info->si_code == SEGV_MAPERR)
		vx_finding("null-dereference", "%s touches address %#lx", vx_function_name(code),
			   (unsigned long)address);
	/* Of an address that no processor takes the kernel is not told; the only such ones are poison. */
	if (number == SIGSEGV && info->si_code != SEGV_MAPERR && info->si_code != SEGV_ACCERR)
		vx_finding("list-corruption", "%s follows a poisoned pointer", vx_function_name(code));
	vx_finding("crash", "signal %d in %s at address %#lx", number, vx_function_name(code),
		   (unsigned long)address);
}

VX_EXPORT int vx_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t alternate = { .ss_size = ALTERNATE_BYTES };

	alternate.ss_sp = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alternate.ss_sp == MAP_FAILED || sigaltstack(&alternate, NULL))
		return -1;
	for (unsigned i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		if (sigaction(caught[i], &action, &before[i]))
			return -1;
	return 0;
}
