/* SPDX-License-Identifier: MIT */
/*
 * Where every watched file's functions come first (-mfentry): before their own first instruction, so
 * that arguments are still where the caller put them. A function that nobody watches goes on at
 * once. One that is watched is called from here, with its own arguments, so that its result passes
 * here as well; backtraces show vx_watched_call between the two. Up to four arguments on the stack
 * are handed on.
 */
#define ARGUMENTS 16 /* offsets in struct vx_watched */
#define RESULT 64
#define BODY 72
#define SECOND 80 /* what the second register of a result holds */
#define KEPT_RAX 88
#define KEPT_R10 96
#define BYTES 144
#define STACKED 32

	.text
	.globl __fentry__
	.hidden __fentry__
	.type __fentry__, @function
__fentry__:
	movq	(%rsp), %r11
	pushq	%rax
	shrq	$2, %r11
	andl	$4095, %r11d
	leaq	vx_watch_filter(%rip), %rax
	cmpb	$0, (%rax,%r11)
	popq	%rax
	jne	vx_watched_call
	ret
	.size __fentry__, . - __fentry__

	.globl vx_watched_call
	.hidden vx_watched_call
	.type vx_watched_call, @function
vx_watched_call:
	.cfi_startproc
	popq	%r11		/* the function's body; now the stack is as at its very beginning */
	pushq	%rbp
	movq	%rsp, %rbp
	.cfi_def_cfa rbp, 16 /* for a debugger, which shows who called */
	.cfi_offset rbp, -16
	subq	$(BYTES + STACKED), %rsp
	movq	%rdi, STACKED + ARGUMENTS(%rsp)
	movq	%rsi, STACKED + ARGUMENTS + 8(%rsp)
	movq	%rdx, STACKED + ARGUMENTS + 16(%rsp)
	movq	%rcx, STACKED + ARGUMENTS + 24(%rsp)
	movq	%r8, STACKED + ARGUMENTS + 32(%rsp)
	movq	%r9, STACKED + ARGUMENTS + 40(%rsp)
	movq	%r11, STACKED + BODY(%rsp)
	movq	%rax, STACKED + KEPT_RAX(%rsp)
	movq	%r10, STACKED + KEPT_R10(%rsp)
	movq	16(%rbp), %rax
	movq	%rax, (%rsp)
	movq	24(%rbp), %rax
	movq	%rax, 8(%rsp)
	movq	32(%rbp), %rax
	movq	%rax, 16(%rsp)
	movq	40(%rbp), %rax
	movq	%rax, 24(%rsp)
	leaq	STACKED(%rsp), %rdi
	call	vx_watch_enter
	movl	%eax, %r11d
	movq	STACKED + ARGUMENTS(%rsp), %rdi
	movq	STACKED + ARGUMENTS + 8(%rsp), %rsi
	movq	STACKED + ARGUMENTS + 16(%rsp), %rdx
	movq	STACKED + ARGUMENTS + 24(%rsp), %rcx
	movq	STACKED + ARGUMENTS + 32(%rsp), %r8
	movq	STACKED + ARGUMENTS + 40(%rsp), %r9
	movq	STACKED + KEPT_R10(%rsp), %r10
	testl	%r11d, %r11d
	jnz	1f
	movq	STACKED + KEPT_RAX(%rsp), %rax
	movq	STACKED + BODY(%rsp), %r11
	leave
	jmp	*%r11
1:	movq	STACKED + BODY(%rsp), %r11
	movq	STACKED + KEPT_RAX(%rsp), %rax
	call	*%r11
	movq	%rax, STACKED + RESULT(%rsp)
	movq	%rdx, STACKED + SECOND(%rsp)
	leaq	STACKED(%rsp), %rdi
	call	vx_watch_leave
	movq	STACKED + RESULT(%rsp), %rax
	movq	STACKED + SECOND(%rsp), %rdx
	leave
	ret
	.cfi_endproc
	.size vx_watched_call, . - vx_watched_call

	.section .note.GNU-stack, "", @progbits
