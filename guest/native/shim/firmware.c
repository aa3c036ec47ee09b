/* SPDX-License-Identifier: GPL-2.0-only */
/* What firmware says of devices beyond VMBus's own nodes (acpi.c): nothing, and all is coherent. */
#include <linux/acpi.h>
#include <linux/fwnode.h>
#include <linux/pci.h>

#include "shim.h"

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
struct fwnode_handle *fwnode_get_next_available_child_node(const struct fwnode_handle *fwnode,
		struct fwnode_handle *child) { return NULL; }
struct fwnode_handle *fwnode_get_parent(const struct fwnode_handle *fwnode) { return NULL; }
struct fwnode_handle *fwnode_get_next_parent(struct fwnode_handle *fwnode) { return NULL; }
unsigned int fwnode_count_parents(const struct fwnode_handle *fwnode) { return 0; }
const char *fwnode_get_name(const struct fwnode_handle *fwnode) { return "fwnode"; }
enum dev_dma_attr device_get_dma_attr(CONST_DEVICE *dev) { return DEV_DMA_COHERENT; }
int pci_dev_acpi_reset(struct pci_dev *dev, bool probe) { return -ENOTTY; }
pci_power_t acpi_pci_get_power_state(struct pci_dev *dev) { return PCI_D0; }
int acpi_pci_set_power_state(struct pci_dev *dev, pci_power_t state) { return 0; }
pci_power_t acpi_pci_choose_state(struct pci_dev *dev) { return PCI_D0; }

#if !SINCE(6, 9)
void fwnode_handle_put(struct fwnode_handle *fwnode) { }
struct device *fwnode_get_next_parent_dev(struct fwnode_handle *fwnode) { return NULL; }
bool fwnode_is_ancestor_of(struct fwnode_handle *ancestor,
		struct fwnode_handle *child) { return false; }
#endif
