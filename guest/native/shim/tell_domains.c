/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bus takes which PCI domain number. The driver kept them itself until the PCI core learnt to
 * keep those of emulated bridges, from which on a number is given back with the bridge.
 */
#include "driver_types.h"

#if VX_PCI_CORE_HAS_EMULATED_DOMAINS

#define DOMAINS_MAX 512

static struct domain {
	u32 relid;
	int number; /* -1: the place is vacant */
} domains[DOMAINS_MAX] VX_OWN;
static u32 domains_count;

static void chosen(u32 relid, u32 wanted, int number)
{
	struct domain *domain = domains;

	if (number < 0)
		return;
	while (domain < domains + domains_count && domain->number >= 0)
		domain++;
	if (domain == domains + domains_count)
		domains_count++;
	*domain = (struct domain){ relid, number };
	vx_tell(DOMAIN_CHOSEN, NULL, relid, (u16)wanted, (u16)number);
}

static void freed(struct vx_watched *call)
{
	struct domain *domain;

	for (domain = domains; domain < domains + domains_count; domain++)
		if (domain->number == (int)call->arguments[0])
			break;
	if (domain == domains + domains_count)
		return;
	vx_tell(DOMAIN_FREED, NULL, domain->relid, domain->number);
	domain->number = -1;
}

u32 vx_domains_taken(void);

/* How many domain numbers are given out; for the census. */
u32 vx_domains_taken(void)
{
	u32 count = 0, i;

	for (i = 0; i < domains_count; i++)
		count += domains[i].number >= 0;
	return count;
}

void vx_tell_domain(u32 relid, const struct vx_watched *inner)
{
	if (!strcmp(inner->what->function, "pci_bus_find_emul_domain_nr"))
		chosen(relid, inner->arguments[0], inner->result);
}

VX_WATCH(pci_bus_find_emul_domain_nr);
VX_WATCH(pci_bus_release_emul_domain_nr, .enter = freed);

#else

void vx_tell_domain(u32 relid, const struct vx_watched *inner)
{
	if (!strcmp(inner->what->function, "hv_put_dom_num"))
		vx_tell(DOMAIN_FREED, NULL, relid, (u16)inner->arguments[0]);
	else if (!strcmp(inner->what->function, "hv_get_dom_num") &&
		 inner->result != HVPCI_DOM_INVALID)
		vx_tell(DOMAIN_CHOSEN, NULL, relid, (u16)inner->arguments[0], (u16)inner->result);
}

VX_WATCH(hv_get_dom_num);
VX_WATCH(hv_put_dom_num);

#endif
