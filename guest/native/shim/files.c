/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of sysfs that can be written: which there are, and who is writing. After kernfs: a file
 * that is removed has no writer left when its removal returns. Nobody reads here.
 */
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "shell.h"

#define LEVELS 3 /* a channel's files lie in DEVICE/channels/RELID */

struct vx_file {
	struct vx_file *next;
	struct kobject *kobj;
	const struct attribute *attr;
	u32 writers;
};

static struct vx_file *files;
static struct vx_queue drained = { NULL, &drained.head, "kernfs_drain" };

int sysfs_create_file_ns(struct kobject *kobj, const struct attribute *attr, NAMESPACE *ns)
{
	struct vx_file **end = &files;
	struct vx_file *file;

	if (!(attr->mode & 0222))
		return 0;
	file = vx_alloc(sizeof(*file), 8, __builtin_return_address(0));
	vx_is_root(file);
	*file = (struct vx_file){ .kobj = kobj, .attr = attr };
	while (*end)
		end = &(*end)->next;
	*end = file;
	return 0;
}

/* kernfs_drain(): the file is gone for whoever comes, then its writers are waited for. */
static void remove_file(struct vx_file **link)
{
	struct vx_file *file = *link;

	*link = file->next;
	while (file->writers) {
		vx_may_sleep("kernfs_drain", NULL);
		vx_park(&drained, drained.name, VX_NEVER);
	}
	vx_free(file);
}

void sysfs_remove_file_ns(struct kobject *kobj, const struct attribute *attr, NAMESPACE *ns)
{
	struct vx_file **link = &files;

	while (*link && ((*link)->kobj != kobj || (*link)->attr != attr))
		link = &(*link)->next;
	if (*link)
		remove_file(link);
}

void sysfs_remove_dir(struct kobject *kobj)
{
	struct vx_file **link = &files;

	while (*link) {
		if ((*link)->kobj == kobj)
			remove_file(link);
		else
			link = &(*link)->next;
	}
}

int sysfs_create_group(struct kobject *kobj, const struct attribute_group *group)
{
	int i;

	for (i = 0; group->attrs && group->attrs[i]; i++)
		if (!group->is_visible || group->is_visible(kobj, group->attrs[i], i))
			sysfs_create_file_ns(kobj, group->attrs[i], NULL);
	return 0;
}

void sysfs_remove_group(struct kobject *kobj, const struct attribute_group *group)
{
	int i;

	for (i = 0; group->attrs && group->attrs[i]; i++)
		sysfs_remove_file_ns(kobj, group->attrs[i], NULL);
}

int sysfs_create_groups(struct kobject *kobj, GROUPS *groups)
{
	for (; groups && *groups; groups++)
		sysfs_create_group(kobj, *groups);
	return 0;
}

void sysfs_remove_groups(struct kobject *kobj, GROUPS *groups)
{
	for (; groups && *groups; groups++)
		sysfs_remove_group(kobj, *groups);
}

static bool lies_below(const struct kobject *kobj, const char *directory)
{
	int level;

	for (level = 0; kobj && level < LEVELS; level++, kobj = kobj->parent)
		if (!strcmp(kobject_name(kobj), directory))
			return true;
	return false;
}

/* Open, write, close; 0 or a negative errno. The oldest such file in the directory or below it. */
int vx_write_file(const char *directory, const char *name, const char *text)
{
	struct vx_file *file = files;
	ssize_t ret;

	while (file && (strcmp(file->attr->name, name) || !lies_below(file->kobj, directory)))
		file = file->next;
	if (!file)
		return -ENOENT;
	file->writers++;
	ret = file->kobj->ktype->sysfs_ops->store(file->kobj, (struct attribute *)file->attr, text,
						  strlen(text));
	if (!--file->writers)
		vx_wake_all(&drained);
	return min_t(ssize_t, ret, 0);
}
