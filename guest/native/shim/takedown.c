/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last moments of a CPU: stop_machine(), take_cpu_down() and fixup_irqs(). What becomes of the
 * contexts that it leaves behind, whoever runs contexts decides: the note of its death says so.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/hw_irq.h>
#include <asm/irq_vectors.h>

#include "hotplug.h"
#include "telling.h"

#define STOP_US 1 /* from the interrupts of all CPUs off to the first thing done about it */

static struct vx_queue others = { NULL, &others.head, "stop_machine" };
static struct vx_queue finished = { NULL, &finished.head, "stop_machine done" };

/* struct multi_stop_data: all CPUs go through its states side by side. */
struct multi_stop {
	unsigned int threads, missing, dying, left;
	int ret;
};

/* ack_state(): true for the last one, who lets all the others go on. */
static bool ack_state(struct multi_stop *stop)
{
	if (--stop->missing)
		return false;
	stop->missing = stop->threads;
	vx_wake_all(&others);
	return true;
}

static void reach(struct multi_stop *stop)
{
	if (!ack_state(stop))
		vx_park(&others, others.name, VX_NEVER);
}

/* Raise what waits here for a vector that has moved where it is now, if its chip can do that itself. */
static void raise_elsewhere(struct irq_desc *desc)
{
	struct irq_chip *chip = irq_desc_get_chip(desc);

	raw_spin_lock(&desc->lock);
	if (chip->irq_retrigger)
		chip->irq_retrigger(irq_desc_get_irq_data(desc));
	raw_spin_unlock(&desc->lock);
}

/* fixup_irqs() of arch/x86/kernel/irq.c. */
static void move_interrupts_away(void)
{
	unsigned int vector, cpu = smp_processor_id();

	irq_migrate_all_off_this_cpu();
	mdelay(1);
	for (vector = FIRST_EXTERNAL_VECTOR; vector < NR_VECTORS; vector++) {
		struct irq_desc *desc = __this_cpu_read(vector_irq[vector]);

		if (IS_ERR_OR_NULL(desc))
			continue;
		if (vx_interrupt_waits(cpu, vector))
			raise_elsewhere(desc);
		__this_cpu_write(vector_irq[vector], VECTOR_UNUSED);
	}
}

/* take_cpu_down() and native_cpu_disable(); a negative errno if the others have no room. */
static int take_cpu_down(unsigned int cpu)
{
	int ret;

	vx_tell(CPU_DYING, NULL, cpu);
	udelay(STOP_US);
	vx_set_cpu_online(cpu, false);
	ret = lapic_can_unplug_cpu();
	if (ret) {
		vx_set_cpu_online(cpu, true);
		return ret;
	}
	move_interrupts_away();
	lapic_offline();
	vx_note(VX_CPU_DEAD, NULL)->a = cpu;
	return 0;
}

/*
 * multi_cpu_stop() of one CPU.
 *
 * Model: who runs the function does not wait for the others afterwards, for its CPU may be dead.
 */
static void stop_one(void *argument)
{
	struct multi_stop *stop = argument;

	preempt_disable();
	reach(stop); /* MULTI_STOP_PREPARE */
	local_irq_disable();
	reach(stop); /* MULTI_STOP_DISABLE_IRQ */
	if (vx_current->cpu == stop->dying) {
		stop->ret = take_cpu_down(stop->dying);
		ack_state(stop);
	} else {
		reach(stop); /* MULTI_STOP_RUN */
	}
	if (!--stop->left)
		vx_wake_all(&finished);
	vx_irqs_off = 0; /* no point of suspending: on a CPU that is dead nobody goes on */
	preempt_enable();
}

/* takedown_cpu(), on a CPU that stays; 0, or the CPU refuses to die. */
int vx_takedown_cpu(unsigned int cpu)
{
	struct multi_stop stop = { .dying = cpu };
	unsigned int each;
	char title[32];

	stop.threads = stop.missing = stop.left = num_online_cpus();
	for_each_online_cpu(each) {
		snprintf(title, sizeof(title), "migration/%u", each);
		vx_start(VX_THREAD, each, title, stop_one, &stop);
	}
	while (stop.left)
		vx_park(&finished, finished.name, VX_NEVER);
	if (stop.ret)
		return stop.ret;
	vx_take_over_tasklets(cpu, vx_current->cpu);
	vx_note(VX_CPU_TAKEN_OVER, NULL)->a = cpu;
	vx_tell(CPU_OFFLINE, NULL, cpu);
	return 0;
}
