/* SPDX-License-Identifier: MIT */
/*
 * vx_switch(void **save, void *load): put the callee-saved registers on this stack, remember where
 * it stands, go on with another. The only file of the core that knows a processor.
 */
	.text
	.globl	vx_switch
	.hidden	vx_switch
	.type	vx_switch, @function
vx_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	vx_switch, . - vx_switch
	.section .note.GNU-stack, "", @progbits
