/* SPDX-License-Identifier: GPL-2.0-only */
/* What the synthetic interrupt controller and the rest of the hypervisor's side have of each other. */
#ifndef VX_SYNIC_H
#define VX_SYNIC_H

void vx_callback_interrupt(unsigned int cpu);
u64 vx_message_page(unsigned int cpu);
u64 vx_event_page(unsigned int cpu);
void vx_slot_is_free(u32 cpu);
VX_EXPORT void vx_deliver_message(u32 cpu, const void *message, u32 size, u32 online);
VX_EXPORT void vx_deliver_event(u32 cpu, u32 flag, u32 online);

#endif
