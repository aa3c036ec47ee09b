/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel calls differently from version to version, said once. */
#ifndef VX_VERSIONS_H
#define VX_VERSIONS_H

#include <linux/version.h>
#include <generated/vx-features.h>

#define SINCE(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* Per-CPU data that 6.2 put into one structure, and 6.15 took out again. */
#if VX_HAS_PCPU_HOT
#define CURRENT_TASK pcpu_hot.current_task
#define PREEMPT_DEPTH pcpu_hot.preempt_count
#define CPU_NUMBER pcpu_hot.cpu_number
#else
#define CURRENT_TASK current_task
#define PREEMPT_DEPTH __preempt_count
#define CPU_NUMBER cpu_number
#endif

/* The hint of a host that cannot emulate instructions; before 6.4 nobody looked at it. */
#if SINCE(6, 4)
#define HINT_MMIO_HYPERCALLS HV_X64_USE_MMIO_HYPERCALLS
#else
#define HINT_MMIO_HYPERCALLS 0
#endif

/* Synthetic MSRs were called registers. */
#if !SINCE(6, 10)
#define HV_MSR_VP_INDEX HV_REGISTER_VP_INDEX
#define HV_MSR_SIMP HV_REGISTER_SIMP
#define HV_MSR_EOM HV_REGISTER_EOM
#endif

/* Allocators, since they are profiled, have another name inside. */
#if SINCE(6, 10)
#define NOPROF(name) name##_noprof
#else
#define NOPROF(name) name
#endif

/* The pages that the hypervisor shares with VMBus, since a paravisor may share others. */
#if VX_VMBUS_HAS_HYPERVISOR_PAGES
#define SYNIC_MESSAGE_PAGE hyp_synic_message_page
#define SYNIC_EVENT_PAGE hyp_synic_event_page
#else
#define SYNIC_MESSAGE_PAGE synic_message_page
#define SYNIC_EVENT_PAGE synic_event_page
#endif

/* What sysfs calls a namespace, and whether it may change a list of groups. */
#if VX_SYSFS_KNOWS_NAMESPACES
#define NAMESPACE const struct ns_common
#else
#define NAMESPACE const void
#endif
#if VX_SYSFS_GROUPS_ARE_CONST
#define GROUPS const struct attribute_group *const
#else
#define GROUPS const struct attribute_group *
#endif

/* Deleting a timer unless it runs, by its old name and its new one. */
#if VX_TIMERS_ARE_DELETED
#define TIMER_DELETE_SYNC_TRY timer_delete_sync_try
#else
#define TIMER_DELETE_SYNC_TRY try_to_del_timer_sync
#endif

/* Operations on devices that look at them only. */
#if SINCE(6, 3)
#define CONST_DEVICE const struct device
#else
#define CONST_DEVICE struct device
#endif

#endif
