/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts on and off as a flag of the simulated CPU, instead of cli and sti. */
#ifndef _X86_IRQFLAGS_H_
#define _X86_IRQFLAGS_H_

#include <asm/processor-flags.h>

extern unsigned int vx_irqs_off;
void vx_irqs_on(void);

static __always_inline unsigned long arch_local_save_flags(void)
{
	return vx_irqs_off ? 0 : X86_EFLAGS_IF;
}

static __always_inline void arch_local_irq_disable(void)
{
	vx_irqs_off = 1;
}

static __always_inline void arch_local_irq_enable(void)
{
	if (vx_irqs_off)
		vx_irqs_on();
}

static __always_inline unsigned long arch_local_irq_save(void)
{
	unsigned long flags = arch_local_save_flags();

	arch_local_irq_disable();
	return flags;
}

static __always_inline int arch_irqs_disabled_flags(unsigned long flags)
{
	return !(flags & X86_EFLAGS_IF);
}

static __always_inline int arch_irqs_disabled(void)
{
	return vx_irqs_off;
}

static __always_inline void arch_local_irq_restore(unsigned long flags)
{
	if (!arch_irqs_disabled_flags(flags))
		arch_local_irq_enable();
}

static __always_inline void arch_safe_halt(void)
{
}

static __always_inline void halt(void)
{
}

#define native_save_fl arch_local_save_flags
#define native_irq_disable arch_local_irq_disable
#define native_irq_enable arch_local_irq_enable

#endif
