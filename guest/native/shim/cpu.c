/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs: per-CPU areas, masks, and who is current. A context is switched in by pointing the GS base at
 * its CPU's area, as the kernel has it.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <asm/desc.h>

#include "hotplug.h"

#define DYNAMIC_BYTES (32u << 10) /* for each CPU; VMBus and the PCI core take less than 8 KiB */

extern char vx_percpu_start[], vx_percpu_end[];

#if VX_HAS_PCPU_HOT
DEFINE_PER_CPU_ALIGNED(struct pcpu_hot, pcpu_hot);
DEFINE_PER_CPU_READ_MOSTLY(unsigned long, this_cpu_off);
#elif defined(DEFINE_PER_CPU_CACHE_HOT)
DEFINE_PER_CPU_CACHE_HOT(struct task_struct *, current_task);
DEFINE_PER_CPU_CACHE_HOT(int, __preempt_count);
DEFINE_PER_CPU_CACHE_HOT(int, cpu_number);
DEFINE_PER_CPU_CACHE_HOT(unsigned long, this_cpu_off);
#else
DEFINE_PER_CPU(struct task_struct *, current_task);
DEFINE_PER_CPU(int, __preempt_count);
DEFINE_PER_CPU_READ_MOSTLY(int, cpu_number);
DEFINE_PER_CPU_READ_MOSTLY(unsigned long, this_cpu_off);
#endif
unsigned long __per_cpu_offset[NR_CPUS];
unsigned int nr_cpu_ids, vx_irqs_off;
bool vx_is_crashing;
struct cpumask __cpu_possible_mask, __cpu_online_mask, __cpu_present_mask, __cpu_active_mask;
atomic_t __num_online_cpus;
static size_t dynamic_used;
void vx_init_nodes(void); /* numa.c */

void vx_set_gs(unsigned long base); /* core/gs.c: the system call or the instruction */

void vx_set_cpu_online(unsigned int cpu, bool online)
{
	assign_bit(cpu, cpumask_bits(&__cpu_online_mask), online);
	assign_bit(cpu, cpumask_bits(&__cpu_active_mask), online);
	atomic_set(&__num_online_cpus, cpumask_weight(&__cpu_online_mask));
}

void vx_init_cpus(void)
{
	size_t fixed = vx_percpu_end - vx_percpu_start;
	size_t stride = ALIGN(fixed + DYNAMIC_BYTES, PAGE_SIZE);
	char *all = vx_alloc(stride * vx_shared.cpus, PAGE_SIZE, __builtin_return_address(0));
	unsigned int cpu;

	vx_is_root(all);
	nr_cpu_ids = vx_shared.cpus;
	for (cpu = 0; cpu < vx_shared.cpus; cpu++) {
		char *area = all + cpu * stride;

		memset(area, 0, stride);
		memcpy(area, vx_percpu_start, fixed);
		__per_cpu_offset[cpu] = area - vx_percpu_start;
		per_cpu(this_cpu_off, cpu) = __per_cpu_offset[cpu];
		per_cpu(CPU_NUMBER, cpu) = cpu;
		per_cpu(PREEMPT_DEPTH, cpu) = PREEMPT_ENABLED;
		__cpumask_set_cpu(cpu, &__cpu_possible_mask);
		__cpumask_set_cpu(cpu, &__cpu_present_mask);
		vx_set_cpu_online(cpu, true);
	}
	vx_init_nodes();
}

void __percpu *pcpu_alloc_noprof(size_t size, size_t align, bool reserved, gfp_t flags);

void __percpu *pcpu_alloc_noprof(size_t size, size_t align, bool reserved, gfp_t flags)
{
	size_t at = ALIGN(dynamic_used, align);
	size_t fixed = ALIGN(vx_percpu_end - vx_percpu_start, 64);

	if (at + size > DYNAMIC_BYTES - 64)
		return NULL;
	dynamic_used = at + size;
	return (void __percpu __force *)(vx_percpu_start + fixed + at);
}

#if !SINCE(6, 10)
void __percpu *__alloc_percpu(size_t size, size_t align)
{
	return pcpu_alloc_noprof(size, align, false, GFP_KERNEL);
}
#endif

void free_percpu(void __percpu *pointer)
{
	/* Model: per-CPU memory is not given back within a run; these files allocate it at boot. */
}

static struct task_struct *task_of(struct vx_ctx *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		return task;
	ctx->saved_preempt = PREEMPT_ENABLED + (ctx->kind == VX_SOFTIRQ ? SOFTIRQ_OFFSET : 0) +
			     (ctx->kind == VX_HARDIRQ ? HARDIRQ_OFFSET : 0);
	ctx->irqs_off = ctx->kind == VX_HARDIRQ;
	task = vx_alloc(sizeof(*task), 64, __builtin_return_address(0)); /* fresh: zero */
	vx_is_root(task);
	task->stack = ctx;
	refcount_set(&task->usage, 2);
	task->pid = ctx->id + 1;
	strscpy(task->comm, ctx->title, sizeof(task->comm));
	return ctx->task = task;
}

void vx_shim_switched_in(struct vx_ctx *ctx)
{
	struct task_struct *task = task_of(ctx);

	vx_set_gs(__per_cpu_offset[ctx->cpu]);
	this_cpu_write(CURRENT_TASK, task);
	this_cpu_write(PREEMPT_DEPTH, ctx->saved_preempt);
	vx_irqs_off = ctx->irqs_off;
	jiffies = vx_shared.now_ns / NS_PER_JIFFY;
}

void vx_shim_switching_out(struct vx_ctx *ctx)
{
	ctx->saved_preempt = this_cpu_read(PREEMPT_DEPTH);
	ctx->irqs_off = vx_irqs_off;
}

void vx_shim_depths(struct vx_trap *trap)
{
	int count = vx_is_crashing ? 0 : preempt_count(); /* who crashes keeps nobody waiting */

	trap->preempt_off = count & PREEMPT_MASK;
	trap->bh_off = vx_current->kind == VX_SOFTIRQ ? 0 : (count & SOFTIRQ_MASK) >> SOFTIRQ_SHIFT;
	trap->irqs_off = vx_current->kind == VX_HARDIRQ ? 0 : vx_irqs_off;
}

/* The current context does something on another CPU, as that CPU does it for itself when it starts. */
void vx_on_cpu(unsigned int cpu, int (*call)(unsigned int cpu))
{
	unsigned int home = vx_current->cpu;

	vx_shim_switching_out(vx_current);
	vx_current->cpu = cpu;
	vx_shim_switched_in(vx_current);
	call(cpu);
	vx_shim_switching_out(vx_current);
	vx_current->cpu = home;
	vx_shim_switched_in(vx_current);
}
