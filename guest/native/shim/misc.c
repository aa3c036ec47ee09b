/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's files need of parts that are not here and that nothing depends on. */
#include <linux/async.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/kernel_stat.h>
#include <linux/kmsg_dump.h>
#include <linux/moduleparam.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/swiotlb.h>
#include <linux/sysfs.h>
#include <linux/syscore_ops.h>

#include "shim.h"

/* --- data --- */

ATOMIC_NOTIFIER_HEAD(panic_notifier_list);
bool crash_kexec_post_notifiers, initcall_debug;
enum system_states system_state = SYSTEM_RUNNING;
struct kobject *kernel_kobj;
unsigned long pci_mem_start = 0x10000000;
const struct kernel_param_ops param_ops_bool, param_ops_int, param_ops_uint;
const struct attribute_group *pci_bus_groups[1], *pci_dev_groups[1], *pci_dev_attr_groups[1],
	*pcibus_groups[1];
const struct attribute_group dev_attr_physical_location_group;
const unsigned long cpu_bit_bitmap[BITS_PER_LONG + 1][BITS_TO_LONGS(NR_CPUS)] = {
#define ROW(n) [n + 1][0] = 1UL << n
	ROW(0), ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7),
	ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15),
	ROW(16), ROW(17), ROW(18), ROW(19), ROW(20), ROW(21), ROW(22), ROW(23),
	ROW(24), ROW(25), ROW(26), ROW(27), ROW(28), ROW(29), ROW(30), ROW(31),
	ROW(32), ROW(33), ROW(34), ROW(35), ROW(36), ROW(37), ROW(38), ROW(39),
	ROW(40), ROW(41), ROW(42), ROW(43), ROW(44), ROW(45), ROW(46), ROW(47),
	ROW(48), ROW(49), ROW(50), ROW(51), ROW(52), ROW(53), ROW(54), ROW(55),
	ROW(56), ROW(57), ROW(58), ROW(59), ROW(60), ROW(61), ROW(62), ROW(63),
};
struct cpuinfo_x86 boot_cpu_data;
raw_spinlock_t i8259A_lock = __RAW_SPIN_LOCK_UNLOCKED(i8259A_lock);
int smp_found_config = 1;
pteval_t __default_kernel_pte_mask = ~0;
DEFINE_PER_CPU(cpumask_var_t, cpu_sibling_map);
struct irq_chip no_irq_chip = { .name = "none" };
DEFINE_PER_CPU(struct kernel_stat, kstat);

/* --- power management of devices: always on --- */

int __pm_runtime_idle(struct device *dev, int flags) { return 0; }
int __pm_runtime_resume(struct device *dev, int flags) { return 0; }
int __pm_runtime_set_status(struct device *dev, unsigned int status) { return 0; }
#if VX_PM_BARRIER_SAYS_NOTHING
void pm_runtime_barrier(struct device *dev) { }
#else
int pm_runtime_barrier(struct device *dev) { return 0; }
#endif
void pm_runtime_enable(struct device *dev) { }
void pm_runtime_forbid(struct device *dev) { }
void pm_runtime_init(struct device *dev) { }
void pm_runtime_reinit(struct device *dev) { }
void pm_runtime_get_suppliers(struct device *dev) { }
void pm_runtime_put_suppliers(struct device *dev) { }
int dev_pm_domain_attach(struct device *dev, u32 flags) { return 0; }
void dev_pm_domain_detach(struct device *dev, bool power_off) { }
void device_set_wakeup_capable(struct device *dev, bool capable) { }

/* --- the rest --- */

void add_interrupt_randomness(int irq) { }
int kmsg_dump_register(struct kmsg_dumper *dumper) { return 0; }
int module_add_driver(struct module *module, const struct device_driver *driver) { return 0; }
void module_remove_driver(const struct device_driver *driver) { }
unsigned int arch_dynirq_lower_bound(unsigned int from) { return from < 24 ? 24 : from; }

bool async_schedule_dev_nocall(async_func_t function, struct device *dev)
{
	return false;
}

void irq_work_sync(struct irq_work *work) { } /* irq_work_queue_on() is a stub: none is under way */
void lockdep_assert_cpus_held(void) { }
void async_synchronize_full(void) { }
int sched_numa_find_nth_cpu(const struct cpumask *cpus, int cpu, int node) { return cpu; }
void preempt_schedule_thunk(void) { }

void swiotlb_dev_init(struct device *dev) { }
int execute_with_initialized_rng(struct notifier_block *block) { return 0; }
int simple_pin_fs(struct file_system_type *type, struct vfsmount **mount, int *count) { return -ENODEV; }
void kcsan_disable_current(void) { vx_race_quiet(1); }
void kcsan_enable_current(void) { vx_race_quiet(-1); }
void kcsan_enable_current_nowarn(void) { vx_race_quiet(-1); }

/* Model: CPUs share no caches. */
const struct cpumask *cpu_clustergroup_mask(int cpu)
{
	return cpumask_of(cpu);
}

/* Model: the same each time, so that a schedule is all that a run depends on. */
u32 __get_random_u32_below(u32 limit)
{
	return 0;
}

#if !SINCE(6, 9)
struct io_tlb_mem io_tlb_default_mem;
int disable_apic;
DEFINE_PER_CPU(void *, hardirq_stack_ptr);
DEFINE_PER_CPU(bool, hardirq_stack_inuse);

/* Or the key by which printed pointers are hashed, which nobody uses here, is waited for for ever. */
bool rng_is_initialized(void)
{
	return true;
}

void get_random_bytes(void *bytes, size_t size)
{
	memset(bytes, 0, size);
}
#endif

