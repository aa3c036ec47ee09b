/* SPDX-License-Identifier: GPL-2.0-only */
/* sysfs and uevents: nobody looks, so all but the files of files.c are made and removed without one. */
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "shim.h"

int sysfs_create_dir_ns(struct kobject *kobj, NAMESPACE *ns) { return 0; }
int sysfs_rename_dir_ns(struct kobject *kobj, const char *name, NAMESPACE *ns) { return 0; }
int sysfs_move_dir_ns(struct kobject *kobj, struct kobject *to, NAMESPACE *ns) { return 0; }
bool sysfs_remove_file_self(struct kobject *kobj, const struct attribute *attr) { return true; }
int sysfs_create_bin_file(struct kobject *kobj, const struct bin_attribute *attr) { return 0; }
void sysfs_remove_bin_file(struct kobject *kobj, const struct bin_attribute *attr) { }
int sysfs_update_group(struct kobject *kobj, const struct attribute_group *group) { return 0; }
int sysfs_add_file_to_group(struct kobject *kobj, const struct attribute *attr, const char *group) { return 0; }
void sysfs_remove_file_from_group(struct kobject *kobj, const struct attribute *attr, const char *group) { }
int sysfs_create_link(struct kobject *kobj, struct kobject *target, const char *name) { return 0; }
int sysfs_create_link_nowarn(struct kobject *kobj, struct kobject *target, const char *name) { return 0; }
void sysfs_remove_link(struct kobject *kobj, const char *name) { }
void sysfs_delete_link(struct kobject *kobj, struct kobject *target, const char *name) { }
int sysfs_rename_link_ns(struct kobject *kobj, struct kobject *target, const char *old, const char *name, NAMESPACE *ns) { return 0; }
int kobject_uevent(struct kobject *kobj, enum kobject_action action) { return 0; }
int kobject_uevent_env(struct kobject *kobj, enum kobject_action action, char *envp[]) { return 0; }
int dpm_sysfs_add(struct device *dev) { return 0; }
void dpm_sysfs_remove(struct device *dev) { }
