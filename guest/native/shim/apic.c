/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC below the kernel's own vector domain: there is nothing to program. */
#include <linux/entry-common.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/hw_irq.h>
#include <asm/i8259.h>
#include <asm/idtentry.h>
#include <asm/irqdomain.h>

#include "hotplug.h"
#include "telling.h"

VX_EXPORT void vx_device_interrupt(unsigned int cpu, unsigned int vector);

/* The kernel's files call these through static calls; without patching a call is a jump table. */
u32 __SCT__apic_call_read(u32 reg) { return 0; }
void __SCT__apic_call_write(u32 reg, u32 value) { }
void __SCT__apic_call_eoi(void) { }
u64 __SCT__apic_call_icr_read(void) { return 0; }
void __SCT__apic_call_send_IPI(int cpu, int vector) { vx_device_interrupt(cpu, vector); }

static u32 apic_id_of(unsigned int cpu)
{
	return cpu;
}

#if SINCE(6, 6)
static struct apic simulated_apic = { .calc_dest_apicid = apic_id_of };
#else /* called through the structure, not through static calls */
static u32 read_nothing(u32 reg)
{
	return 0;
}

static void ignore_write(u32 reg, u32 value)
{
}

/* Vectors that were moved away from are given back by an interrupt, later by a timer. */
static void move_cleanup_interrupt(void *argument)
{
	struct pt_regs regs = {};

	this_cpu_write(hardirq_stack_inuse, true); /* we stand on a stack of our own already */
	sysvec_irq_move_cleanup(&regs);
	this_cpu_write(hardirq_stack_inuse, false);
}

static void send_ipi(int cpu, int vector)
{
	if (vector == IRQ_MOVE_CLEANUP_VECTOR)
		vx_start(VX_HARDIRQ, cpu, "sysvec_irq_move_cleanup", move_cleanup_interrupt, NULL);
	else
		vx_device_interrupt(cpu, vector);
}

static void send_ipi_self(int vector)
{
	send_ipi(vx_current->cpu, vector);
}

static struct apic simulated_apic = {
	.calc_dest_apicid = apic_id_of, .read = read_nothing, .write = ignore_write,
	.eoi_write = ignore_write, .send_IPI = send_ipi, .send_IPI_self = send_ipi_self,
};

irqentry_state_t irqentry_enter(struct pt_regs *regs)
{
	return (irqentry_state_t){};
}

void irqentry_exit(struct pt_regs *regs, irqentry_state_t state)
{
}

void irq_enter_rcu(void)
{
}

void irq_exit_rcu(void)
{
}
#endif
struct apic *apic = &simulated_apic;
DEFINE_PER_CPU(vector_irq_t, vector_irq) = { [0 ... NR_VECTORS - 1] = VECTOR_UNUSED };
DECLARE_BITMAP(system_vectors, NR_VECTORS);
static int no_legacy_irqs(void)
{
	return 0;
}

static void do_nothing(int auto_eoi)
{
}

static void make_nothing(unsigned int irq)
{
}

struct legacy_pic null_legacy_pic = {
	.probe = no_legacy_irqs, .init = do_nothing, .make_irq = make_nothing
};
struct legacy_pic *legacy_pic = &null_legacy_pic;
unsigned int gsi_top;
int nr_ioapics;
int apic_verbosity;
bool apic_is_disabled;
unsigned long io_apic_irqs;

int arch_early_ioapic_init(void)
{
	return 0;
}

int lapic_get_maxlvt(void)
{
	return 0;
}

int pci_msi_prepare(struct irq_domain *domain, struct device *dev, int count, msi_alloc_info_t *arg)
{
	init_irq_alloc_info(arg, NULL);
	arg->type = to_pci_dev(dev)->msix_enabled ? X86_IRQ_ALLOC_TYPE_PCI_MSIX :
						    X86_IRQ_ALLOC_TYPE_PCI_MSI;
	return 0;
}

static void device_interrupt(void *argument)
{
	unsigned long vector = (unsigned long)argument;
	struct irq_desc *desc = __this_cpu_read(vector_irq[vector]);

	if (IS_ERR_OR_NULL(desc)) {
		vx_tell(INTERRUPT_SPURIOUS, NULL, vx_current->cpu, vector);
		return;
	}
	generic_handle_irq_desc(desc);
}

VX_EXPORT void vx_device_interrupt(unsigned int cpu, unsigned int vector)
{
	VX_DOOR;
	vx_start(VX_HARDIRQ, cpu, "common_interrupt", device_interrupt, (void *)(unsigned long)vector);
}

/* Whether an interrupt has come to the CPU and not begun: a bit of its APIC's IRR. */
bool vx_interrupt_waits(unsigned int cpu, unsigned int vector)
{
	const struct vx_ctx *ctx;
	u32 number;

	for (number = 0; (ctx = vx_context(number)) != NULL; number++)
		if (ctx->entry == device_interrupt && ctx->cpu == cpu && !ctx->task &&
		    ctx->argument == (void *)(unsigned long)vector)
			return true;
	return false;
}
