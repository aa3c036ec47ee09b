/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Function drivers: the step tables of guest/drivers, handed in as numbers and registered with the
 * kernel's PCI core. Knows no device by name and no step.
 */
#include "drivers.h"

#define DRIVERS_MAX 8
#define MATCHES_MAX 4
#define CHOICES_MAX 4096
#define NO_DRIVER U32_MAX /* the one that matches */

struct vx_table {
	char name[32];
	u32 count[PARTS], match_count;
	struct vx_step steps[PARTS][VX_STEPS_MAX];
	struct pci_device_id ids[MATCHES_MAX + 1];
	struct pci_driver driver;
};

static struct vx_table tables[DRIVERS_MAX];
static struct vx_choice choices[CHOICES_MAX] VX_LEFT;
static const struct vx_choice no_choice = { .driver = NO_DRIVER, .rounds = 1 };
static u32 tables_count, choices_count;

/* --- what the binding hands in before boot --- */

VX_EXPORT u32 vx_add_driver(const char *name)
{
	strscpy(tables[tables_count].name, name, sizeof(tables[0].name));
	return tables_count++;
}

VX_EXPORT void vx_add_match(u32 driver, u32 class_code, u32 class_mask, u32 vendor)
{
	struct vx_table *table = &tables[driver];

	table->ids[table->match_count++] = (struct pci_device_id){
		.vendor = vendor, .device = PCI_ANY_ID, .subvendor = PCI_ANY_ID,
		.subdevice = PCI_ANY_ID, .class = class_code, .class_mask = class_mask,
	};
}

VX_EXPORT void vx_add_step(u32 driver, u32 part, const struct vx_step *step)
{
	struct vx_table *table = &tables[driver];

	table->steps[part][table->count[part]++] = *step;
}

VX_EXPORT void vx_add_choice(const struct vx_choice *choice)
{
	choices[choices_count++] = *choice;
}

static const struct vx_choice *choice_of(struct pci_dev *dev)
{
	const guid_t *instance = vx_instance_of(dev->bus);
	u32 i;

	for (i = 0; i < choices_count; i++)
		if (choices[i].devfn == dev->devfn && guid_equal(&choices[i].instance, instance))
			return &choices[i];
	return &no_choice;
}

/* --- from probe to remove --- */

static struct vx_table *table_of(struct pci_dev *dev)
{
	return container_of(dev->driver, struct vx_table, driver);
}

static int run_step(struct vx_instance *self, const struct vx_step *step, u32 op)
{
	return vx_operations[op](self, step);
}

/* What was done is undone if a step fails. */
static int run_part(struct vx_instance *self, enum vx_part part)
{
	const struct vx_table *table = table_of(self->dev);
	const struct vx_step *steps = table->steps[part];
	u32 i;
	int ret;

	for (i = 0; i < table->count[part]; i++) {
		ret = run_step(self, &steps[i], steps[i].op);
		if (ret < 0)
			goto undo;
	}
	return 0;
undo:
	while (i--)
		if (steps[i].undo != OPS)
			run_step(self, &steps[i], steps[i].undo);
	return ret;
}

/* Goes on to its end whatever happens. */
static void run_whole_part(struct vx_instance *self, enum vx_part part)
{
	const struct vx_table *table = table_of(self->dev);
	u32 i;

	for (i = 0; i < table->count[part]; i++)
		run_step(self, &table->steps[part][i], table->steps[part][i].op);
}

static void release(struct pci_dev *dev, struct vx_instance *self)
{
	pci_set_drvdata(dev, NULL);
	kfree(self->queue);
	kfree(self);
}

static void tell_failure(struct pci_dev *dev, int error)
{
	char words[64];

	snprintf(words, sizeof(words), "%s\t%s", pci_name(dev), dev->driver->name);
	vx_tell(DRIVER_PROBE_FAILED, words, error);
}

static int step_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	struct vx_instance *self;
	int ret;

	self = kzalloc_node(sizeof(*self), GFP_KERNEL, dev_to_node(&dev->dev));
	if (!self)
		return -ENOMEM;
	self->dev = dev;
	self->choice = choice_of(dev);
	init_completion(&self->done);
	init_completion(&self->idle);
	pci_set_drvdata(dev, self);
	ret = run_part(self, PART_PROBE);
	if (ret < 0) {
		tell_failure(dev, ret);
		release(dev, self);
	}
	return ret;
}

static void step_remove(struct pci_dev *dev)
{
	struct vx_instance *self = pci_get_drvdata(dev);

	run_whole_part(self, PART_REMOVE);
	release(dev, self);
}

static int step_suspend(struct device *dev)
{
	run_whole_part(dev_get_drvdata(dev), PART_SUSPEND);
	return 0;
}

static int step_resume(struct device *dev)
{
	return run_part(dev_get_drvdata(dev), PART_RESUME);
}

static const struct dev_pm_ops step_pm_ops = {
	.suspend = step_suspend, .resume = step_resume, .freeze = step_suspend, .thaw = step_resume,
	.restore = step_resume,
};

/* --- which driver a function gets --- */

#if VX_DEVICE_HAS_DRIVER_OVERRIDE
static void override_driver(struct pci_dev *dev, const char *name)
{
	device_set_driver_override(&dev->dev, name);
}
#else
static void override_driver(struct pci_dev *dev, const char *name)
{
	dev->driver_override = kstrdup(name, GFP_KERNEL);
}
#endif

static u32 first_match(struct pci_dev *dev)
{
	u32 driver = 0;

	while (driver < tables_count && !pci_match_id(tables[driver].ids, dev))
		driver++;
	return driver;
}

/* The name of the driver that the function shall have; NULL if none would. */
const char *vx_driver_of(struct pci_dev *dev)
{
	u32 wanted = choice_of(dev)->driver;
	u32 driver = wanted == NO_DRIVER ? first_match(dev) : wanted;

	return driver < tables_count ? tables[driver].name : NULL;
}

/*
 * The driver is written to driver_override, so that after a probe that failed no other one tries its
 * luck, as one that matches anything would.
 */
static int device_added(struct notifier_block *block, unsigned long action, void *data)
{
	struct pci_dev *dev = to_pci_dev(data);

	if (action == BUS_NOTIFY_ADD_DEVICE)
		override_driver(dev, vx_driver_of(dev) ?: "none");
	return NOTIFY_OK;
}

static struct notifier_block on_device = { .notifier_call = device_added };

static int __init register_drivers(void)
{
	int ret = bus_register_notifier(&pci_bus_type, &on_device);
	u32 i;

	for (i = 0; !ret && i < tables_count; i++) {
		struct pci_driver *driver = &tables[i].driver;

		driver->name = tables[i].name;
		driver->id_table = tables[i].ids;
		driver->probe = step_probe;
		driver->remove = step_remove;
		driver->driver.pm = &step_pm_ops;
		ret = __pci_register_driver(driver, NULL, tables[i].name);
	}
	return ret;
}
device_initcall(register_drivers);
