/* SPDX-License-Identifier: GPL-2.0-only */
/* What putting devices to sleep asks of parts that are not here: nothing wakes the machine but its button. */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/pm.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>

#include "shim.h"
#include "../../drivers/base/power/power.h"

int pm_async_enabled; /* Model: one device after the other; Linux lets PCI devices go side by side */

bool pm_wakeup_pending(void) { return false; }
void pm_system_irq_wakeup(unsigned int irq) { }
void device_wakeup_arm_wake_irqs(void) { }
void device_wakeup_disarm_wake_irqs(void) { }
#if SINCE(6, 8)
void device_wakeup_disable(struct device *dev) { }
#else
int device_wakeup_disable(struct device *dev) { return 0; }
#endif
void wake_up_all_idle_cpus(void) { }
void pm_restrict_gfp_mask(void) { }
void pm_restore_gfp_mask(void) { }
#if SINCE(6, 9)
void dpm_save_failed_dev(const char *name) { }
void dpm_save_failed_step(enum suspend_stat_step step) { }
#endif

/* Of runtime power management nothing is used: every device is always on. */
void pm_runtime_remove(struct device *dev) { }
void __pm_runtime_disable(struct device *dev, bool check_resume) { }
bool pm_runtime_need_not_resume(struct device *dev) { return false; }
#if VX_PM_BLOCK_SAYS_WHETHER
bool pm_runtime_block_if_disabled(struct device *dev) { return true; }
void pm_runtime_unblock(struct device *dev) { }
#elif SINCE(6, 12)
void pm_runtime_block_if_disabled(struct device *dev) { }
void pm_runtime_unblock(struct device *dev) { }
bool pm_runtime_blocked(struct device *dev) { return false; }
#endif
