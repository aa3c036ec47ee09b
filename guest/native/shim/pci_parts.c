/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of the PCI core that stay away: files in sysfs, power saving on links, hotplug controllers. */
#include <linux/pci.h>

#include "shim.h"

int pci_create_sysfs_dev_files(struct pci_dev *dev) { return 0; }
void pci_remove_sysfs_dev_files(struct pci_dev *dev) { }
void pci_configure_aspm_l1ss(struct pci_dev *dev) { }
unsigned int pcibios_assign_all_busses(void) { return 0; }
bool pciehp_is_native(struct pci_dev *dev) { return false; }
void pci_save_ltr_state(struct pci_dev *dev) { }
void pci_restore_ltr_state(struct pci_dev *dev) { }
void pci_save_aspm_l1ss_state(struct pci_dev *dev) { }
void pci_restore_aspm_l1ss_state(struct pci_dev *dev) { }
void pcim_release_region(struct pci_dev *dev, int bar) { }

int devm_pm_runtime_enable(struct device *dev) { return 0; }
void pm_runtime_no_callbacks(struct device *dev) { }

#if !SINCE(6, 9)
const struct device_type pci_dev_type;
void pci_assign_irq(struct pci_dev *dev) { }
#endif
