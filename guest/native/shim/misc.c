/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's files need of parts that are not here and that nothing depends on. */
#include <linux/acpi.h>
#include <linux/async.h>
#include <linux/device.h>
#include <linux/fwnode.h>
#include <linux/irq.h>
#include <linux/kernel_stat.h>
#include <linux/kmsg_dump.h>
#include <linux/moduleparam.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/rcupdate.h>
#include <linux/srcu.h>
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

/* --- RCU: Model: a grace period is over at once, since no reader in these files suspends --- */

void __rcu_read_lock(void) { preempt_disable(); }
void __rcu_read_unlock(void) { preempt_enable(); }
void call_rcu(struct rcu_head *head, rcu_callback_t function) { function(head); }
#if SINCE(6, 4)
void kvfree_call_rcu(struct rcu_head *head, void *object) { kfree(object); }
#else
void kvfree_call_rcu(struct rcu_head *head, rcu_callback_t offset) { kfree((void *)head - (unsigned long)offset); }
#endif
void synchronize_rcu(void) { vx_point("grace period", NULL); }
int init_srcu_struct(struct srcu_struct *srcu) { return 0; }
int __srcu_read_lock(struct srcu_struct *srcu) { return 0; }
void __srcu_read_unlock(struct srcu_struct *srcu, int index) { }
void synchronize_srcu(struct srcu_struct *srcu) { vx_point("grace period", NULL); }

/* --- power management of devices: always on --- */

int __pm_runtime_idle(struct device *dev, int flags) { return 0; }
int __pm_runtime_resume(struct device *dev, int flags) { return 0; }
int __pm_runtime_set_status(struct device *dev, unsigned int status) { return 0; }
int pm_runtime_barrier(struct device *dev) { return 0; }
void pm_runtime_enable(struct device *dev) { }
void pm_runtime_forbid(struct device *dev) { }
void pm_runtime_init(struct device *dev) { }
void pm_runtime_reinit(struct device *dev) { }
void pm_runtime_get_suppliers(struct device *dev) { }
void pm_runtime_put_suppliers(struct device *dev) { }
int dev_pm_domain_attach(struct device *dev, u32 flags) { return 0; }
void dev_pm_domain_detach(struct device *dev, bool power_off) { }
void device_set_wakeup_capable(struct device *dev, bool capable) { }

/* --- firmware --- */

struct fwnode_handle *__dev_fwnode(struct device *dev) { return dev->fwnode; }
struct fwnode_handle *fwnode_handle_get(struct fwnode_handle *fwnode) { return fwnode; }
void acpi_device_notify(struct device *dev) { }
void acpi_device_notify_remove(struct device *dev) { }
int acpi_device_uevent_modalias(CONST_DEVICE *dev, struct kobj_uevent_env *env) { return 0; }
int acpi_dma_configure_id(struct device *dev, enum dev_dma_attr attr, const u32 *id) { return 0; }
enum dev_dma_attr acpi_get_dma_attr(struct acpi_device *node) { return DEV_DMA_COHERENT; }
bool is_software_node(const struct fwnode_handle *fwnode) { return false; }
void software_node_notify(struct device *dev) { }
void software_node_notify_remove(struct device *dev) { }
bool dev_add_physical_location(struct device *dev) { return false; }
void pci_set_acpi_fwnode(struct pci_dev *dev) { }
bool pci_acpi_preserve_config(struct pci_host_bridge *bridge) { return false; }
int pci_acpi_program_hp_params(struct pci_dev *dev) { return -ENODEV; }
struct irq_domain *pci_host_bridge_acpi_msi_domain(struct pci_bus *bus) { return NULL; }
bool acpi_pci_power_manageable(struct pci_dev *dev) { return false; }
bool acpi_pci_bridge_d3(struct pci_dev *dev) { return false; }
bool acpi_pci_need_resume(struct pci_dev *dev) { return false; }
void acpi_pci_refresh_power_state(struct pci_dev *dev) { }
int acpi_pci_wakeup(struct pci_dev *dev, bool enable) { return 0; }

/* --- PCI's outlying parts --- */

int pci_create_sysfs_dev_files(struct pci_dev *dev) { return 0; }
void pci_remove_sysfs_dev_files(struct pci_dev *dev) { }
void pci_configure_aspm_l1ss(struct pci_dev *dev) { }
unsigned int pcibios_assign_all_busses(void) { return 0; }
bool pciehp_is_native(struct pci_dev *dev) { return false; }
void pci_save_ltr_state(struct pci_dev *dev) { }
void pci_restore_ltr_state(struct pci_dev *dev) { }
void pci_save_aspm_l1ss_state(struct pci_dev *dev) { }
void pci_restore_aspm_l1ss_state(struct pci_dev *dev) { }

/* --- lists --- */

#if SINCE(6, 6)
#define LIST_ADD_VALID __list_add_valid_or_report
#define LIST_DEL_VALID __list_del_entry_valid_or_report
#else
#define LIST_ADD_VALID __list_add_valid
#define LIST_DEL_VALID __list_del_entry_valid
#endif

bool LIST_ADD_VALID(struct list_head *item, struct list_head *before, struct list_head *after)
{
	if (after->prev != before || before->next != after || item == before || item == after)
		vx_finding("list-corruption", "an element is added between two that are not neighbours");
	return true;
}
bool LIST_DEL_VALID(struct list_head *item)
{
	if (item->next == LIST_POISON1 || item->prev == LIST_POISON2)
		vx_finding("list-corruption", "an element is taken off a list twice");
	if (item->prev->next != item || item->next->prev != item)
		vx_finding("list-corruption", "the neighbours of an element do not know it");
	return true;
}
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

void async_synchronize_full(void) { }
int sched_numa_find_nth_cpu(const struct cpumask *cpus, int cpu, int node) { return cpu; }
void preempt_schedule_thunk(void) { }

/* A symbol that the kernel's files name and that nothing was expected to reach. */
void vx_missing(const char *name)
{
	vx_finding("crash", "the shim lacks %s", name);
}

#include <linux/swiotlb.h>
void swiotlb_dev_init(struct device *dev) { }
struct fwnode_handle *fwnode_get_next_available_child_node(const struct fwnode_handle *fwnode, struct fwnode_handle *child) { return NULL; }
struct fwnode_handle *fwnode_get_parent(const struct fwnode_handle *fwnode) { return NULL; }
struct fwnode_handle *fwnode_get_next_parent(struct fwnode_handle *fwnode) { return NULL; }
unsigned int fwnode_count_parents(const struct fwnode_handle *fwnode) { return 0; }
const char *fwnode_get_name(const struct fwnode_handle *fwnode) { return "fwnode"; }
int execute_with_initialized_rng(struct notifier_block *block) { return 0; }
#include <linux/fs.h>
int simple_pin_fs(struct file_system_type *type, struct vfsmount **mount, int *count) { return -ENODEV; }
enum dev_dma_attr device_get_dma_attr(CONST_DEVICE *dev) { return DEV_DMA_COHERENT; }
int pci_dev_acpi_reset(struct pci_dev *dev, bool probe) { return -ENOTTY; }
void pcim_release_region(struct pci_dev *dev, int bar) { }
void kcsan_disable_current(void) { }
void kcsan_enable_current_nowarn(void) { }
pci_power_t acpi_pci_get_power_state(struct pci_dev *dev) { return PCI_D0; }
int acpi_pci_set_power_state(struct pci_dev *dev, pci_power_t state) { return 0; }
pci_power_t acpi_pci_choose_state(struct pci_dev *dev) { return PCI_D0; }

#if !SINCE(6, 9)
struct io_tlb_mem io_tlb_default_mem;
int disable_apic;
DEFINE_PER_CPU(void *, hardirq_stack_ptr);
DEFINE_PER_CPU(bool, hardirq_stack_inuse);
void fwnode_handle_put(struct fwnode_handle *fwnode) { }
struct device *fwnode_get_next_parent_dev(struct fwnode_handle *fwnode) { return NULL; }
bool fwnode_is_ancestor_of(struct fwnode_handle *ancestor, struct fwnode_handle *child) { return false; }
bool rng_is_initialized(void) { return false; }
#endif

#if !SINCE(6, 9)
const struct device_type pci_dev_type;
void pci_assign_irq(struct pci_dev *dev) { }
#endif
