/* SPDX-License-Identifier: GPL-2.0-only */
/* Telling what happened in the guest: an event by its number, with numbers and words. */
#ifndef VX_TELLING_H
#define VX_TELLING_H

#include <linux/cpu.h>

#include "shim.h"

#undef CPU_ONLINE /* which notifiers were told once */

enum vx_event { /* guest/native/telling.py has the same rows in the same order */
	FUNCTION_RETURNED,
	COMMAND_FAILED,
	DRIVER_REMOVED,
	RESCIND_FLAG_RAISED,
	BUS_STATE_CHANGED,
	ROOT_BUS_REMOVAL_BEGAN,
	VERSION_NEGOTIATED,
	DOMAIN_CHOSEN,
	DOMAIN_FREED,
	REQUEST_COMPLETED,
	PACKET_DROPPED,
	RELATIONS_QUEUED,
	RELATIONS_PROCESSED,
	CHILD_ADDED,
	CHILD_REMOVED,
	CHILD_FREED,
	EJECT_QUEUED,
	EJECT_COMPLETED,
	MESSAGE_IGNORED,
	D0_ENTERED,
	D0_LEFT,
	RESOURCES_ASSIGNED,
	RESOURCES_RELEASED,
	BRIDGE_WINDOW_ALLOCATED,
	CHILD_SLOT_CREATED,
	CHILD_SLOT_DESTROYED,
	MSI_COMPOSED,
	MSI_NOT_COMPOSED,
	MSI_FREED,
	MSI_RETARGETED,
	BLOCK_INVALIDATED,
	PCI_DEV_ADDED,
	PCI_DEV_REMOVED,
	DRIVER_BOUND,
	DRIVER_PROBE_FAILED,
	DRIVER_UNBOUND,
	BAR_ASSIGNED,
	VECTOR_ALLOCATED,
	INTERRUPT_REQUESTED,
	INTERRUPT_FREED,
	INTERRUPT_HANDLED,
	INTERRUPT_SPURIOUS,
	INTERRUPT_SHUT_DOWN,
	PROCESSES_FROZEN,
	MACHINE_POWERED_OFF,
	MACHINE_POWERED_ON,
	CPU_DYING,
	CPU_OFFLINE,
	CPU_ONLINE,
	UNLOAD_AWAITED,
	UNLOAD_ENDED,
};

void vx_tell_numbers(enum vx_event event, const char *words, unsigned int count, const u64 *numbers);

/* vx_tell(CHILD_FREED, NULL, relid, wslot, serial): words are separated by tabs. */
#define vx_tell(event, words, ...) \
	vx_tell_numbers(event, words, sizeof((u64[]){ __VA_ARGS__ }) / 8, (u64[]){ __VA_ARGS__ })

/* A function that came to nothing says so, as the model's do. */
static inline void vx_told_failure(const struct vx_watched *call, u32 relid)
{
	if ((int)call->result)
		vx_tell(FUNCTION_RETURNED, call->what->function, relid, (int)call->result);
}

#endif
