/* SPDX-License-Identifier: MIT */
/*
 * A fault of the processor in guest code becomes a finding: where it happened, on which address. What
 * happens outside of guest code is left to whoever handled it before.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>

#include "machine_x86_64.h"

#define ALTERNATE_BYTES (64u << 10)
#define NULL_PAGE 4096u

static const int caught[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
static struct sigaction before[sizeof(caught) / sizeof(*caught)];

/* Not in guest code: what handled it before, handles it now. */
static void hand_on(int number, siginfo_t *info, void *argument)
{
	for (unsigned i = 0; i < sizeof(caught) / sizeof(*caught); i++) {
		if (caught[i] != number)
			continue;
		if (before[i].sa_flags & SA_SIGINFO)
			before[i].sa_sigaction(number, info, argument);
		else
			sigaction(number, &before[i], NULL); /* the instruction faults again */
	}
}

static void tell_of_address(int number, const siginfo_t *info, const char *function)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	if (number == SIGSEGV && address < NULL_PAGE && info->si_code == SEGV_MAPERR)
		vx_finding("null-dereference", "%s touches address %#lx", function,
			   (unsigned long)address);
	if (number == SIGSEGV && vx_is_guard(info->si_addr))
		vx_finding("crash", "%s has no stack left", function);
	/* Of an address that no processor takes the kernel is not told; the only such ones are poison. */
	if (number == SIGSEGV && info->si_code != SEGV_MAPERR && info->si_code != SEGV_ACCERR)
		vx_finding("list-corruption", "%s follows a poisoned pointer", function);
	vx_finding("crash", "signal %d in %s at address %#lx", number, function,
		   (unsigned long)address);
}

/* The kernel's files name it and nothing provides it: a function that is called, or a variable. */
static void tell_of_stub(const ucontext_t *context, const char *symbol)
{
	const void *code = code_of(context);

	if (!vx_stub_at(code))
		vx_finding("crash", "the shim lacks %s, which %s touches", symbol,
			   vx_function_name(code));
	vx_interrupted_at(*top_of(context), frame_of(context));
	vx_finding("crash", "the shim lacks %s()", symbol);
}

static void on_fault(int number, siginfo_t *info, void *argument)
{
	const ucontext_t *context = argument;
	const void *code = code_of(context);
	const char *stub = vx_stub_at(info->si_addr);

	vx_interrupted_at(code, frame_of(context));
	if (stub)
		tell_of_stub(context, stub);
	if (!vx_current) {
		hand_on(number, info, argument);
		return;
	}
	if (is_returning(context))
		vx_finding("crash", "%s returns to what is no address: its stack is smashed",
			   vx_current->title);
	if (!vx_is_ours(code) && vx_on_a_stack(top_of(context))) {
		vx_interrupted_at(*top_of(context), frame_of(context));
		vx_finding(code ? "crash" : "null-dereference", "%s calls address %#lx",
			   vx_function_name(*top_of(context)), (unsigned long)code);
	}
	tell_of_address(number, info, vx_function_name(code));
}

/* What the compiler puts between a function's arrays and its return address, and calls if it is gone. */
unsigned long __stack_chk_guard = 0x5ac0ffee0badc0deul;

void __stack_chk_fail(void)
{
	vx_finding("out-of-bounds", "%s writes beyond its part of the stack",
		   vx_function_name((char *)__builtin_return_address(0) - 1));
}

VX_EXPORT int vx_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t alternate = { .ss_size = ALTERNATE_BYTES };

	alternate.ss_sp = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alternate.ss_sp == MAP_FAILED || sigaltstack(&alternate, NULL) || vx_shut_stubs())
		return -1;
	for (unsigned i = 0; i < sizeof(caught) / sizeof(*caught); i++) {
		struct sigaction old;

		if (sigaction(caught[i], &action, &old))
			return -1;
		if (old.sa_sigaction != on_fault)
			before[i] = old;
	}
	return 0;
}
