/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor as the kernel's files reach it: hypercalls through the page the kernel calls, MSRs,
 * the VMBus interrupt, device memory. Every one becomes a question to the host.
 */
#include <linux/io.h>
#include <asm/mshyperv.h>

#include "shim.h"
#include "synic.h"
#include "../../drivers/hv/hyperv_vmbus.h"

#define MMIO_COOKIE (1ul << 52) /* what ioremap() returns: a guest-physical address, made unusable */

struct ms_hyperv_info ms_hyperv;
bool hyperv_paravisor_present;

/* The answer comes when the host lets the CPU go. */
static u64 ask_host(enum vx_request request, u64 a, u64 b, u64 c, unsigned int size)
{
	u64 answer = vx_ask(request, a, b, c, size), held_ns = vx_shared.trap.held_ns;

	if (held_ns)
		vx_stand_still(held_ns);
	return answer;
}

static u64 __attribute__((ms_abi, force_align_arg_pointer)) hypercall(u64 control, u64 input, u64 output)
{
	return ask_host(VX_HYPERCALL, control, input, output, 0);
}

void *hv_hypercall_pg = hypercall;

#if VX_HYPERCALLS_ARE_STATIC_CALLS
u64 STATIC_CALL_TRAMP(hv_hypercall)(u64 control, u64 input, u64 output)
{
	return hypercall(control, input, output);
}
#endif

bool hv_is_hyperv_initialized(void)
{
	return true;
}

#if SINCE(6, 9)
int hv_get_hypervisor_version(union hv_hypervisor_version_info *info)
{
	memset(info, 0, sizeof(*info));
	return 0;
}
#endif

/* --- MSRs --- */

static DEFINE_PER_CPU(u64, simp);

unsigned long long vx_get_msr(unsigned int reg)
{
	switch (reg) {
	case HV_MSR_VP_INDEX:
		return vx_shared.vp_of_cpu[smp_processor_id()];
	case HV_MSR_SIMP:
		return this_cpu_read(simp);
	default:
		return 0;
	}
}

void vx_set_msr(unsigned int reg, unsigned long long value)
{
	if (reg == HV_MSR_SIMP)
		this_cpu_write(simp, value);
	else if (reg == HV_MSR_EOM)
		vx_slot_is_free(smp_processor_id());
}

#if SINCE(6, 10)
u64 hv_get_msr(unsigned int reg)
{
	return vx_get_msr(reg);
}

void hv_set_msr(unsigned int reg, u64 value)
{
	vx_set_msr(reg, value);
}
#endif

/* --- the VMBus interrupt --- */

static void (*vmbus_handler)(void);

void hv_setup_vmbus_handler(void (*handler)(void))
{
	vmbus_handler = handler;
}

void hv_remove_vmbus_handler(void)
{
	vmbus_handler = NULL;
}

static void callback_interrupt(void *argument)
{
	if (vmbus_handler)
		vmbus_handler();
}

void vx_callback_interrupt(unsigned int cpu)
{
	vx_start(VX_HARDIRQ, cpu, "sysvec_hyperv_callback", callback_interrupt, NULL);
}

/* The pages through which the host gives a CPU its messages and event flags; 0 before there are any. */
u64 vx_message_page(unsigned int cpu)
{
	struct hv_per_cpu_context *context = per_cpu_ptr(hv_context.cpu_context, cpu);

	return hv_context.cpu_context ? (u64)context->SYNIC_MESSAGE_PAGE : 0;
}

u64 vx_event_page(unsigned int cpu)
{
	struct hv_per_cpu_context *context = per_cpu_ptr(hv_context.cpu_context, cpu);

	return hv_context.cpu_context ? (u64)context->SYNIC_EVENT_PAGE : 0;
}

/* --- device memory --- */

void __iomem *ioremap(resource_size_t start, unsigned long size)
{
	return (void __iomem *)(start | MMIO_COOKIE);
}

void __iomem *ioremap_cache(resource_size_t start, unsigned long size)
{
	return ioremap(start, size);
}

/* The guest-physical address that ioremap() was asked for. */
u64 vx_physical(const volatile void __iomem *address)
{
	return (unsigned long)address & ~MMIO_COOKIE;
}

void iounmap(volatile void __iomem *address)
{
}

unsigned long vx_mmio_read(const volatile void __iomem *address, unsigned int size)
{
	if (!((unsigned long)address & MMIO_COOKIE))
		vx_finding("crash", "device memory is read at %p, which nobody mapped", (void *)address);
	return ask_host(VX_MMIO_READ, vx_physical(address), 0, 0, size);
}

void vx_mmio_write(volatile void __iomem *address, unsigned int size, unsigned long value)
{
	if (!((unsigned long)address & MMIO_COOKIE))
		vx_finding("crash", "device memory is written at %p, which nobody mapped",
			   (void *)address);
	ask_host(VX_MMIO_WRITE, vx_physical(address), value, 0, size);
}

void memcpy_fromio(void *to, const volatile void __iomem *from, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		((u8 *)to)[i] = vx_mmio_read((const volatile char __iomem *)from + i, 1);
}

