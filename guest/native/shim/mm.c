/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory: everything comes from the core's arena, where a freed object stays dead. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

#include "shim.h"

static void *allocate(size_t size, gfp_t flags, size_t align, unsigned long caller)
{
	const char *name = vx_allocation_name((void *)caller);
	void *object;

	if (flags & __GFP_DIRECT_RECLAIM)
		vx_may_sleep("kmalloc", NULL);
	if (name)
		vx_point_named("kzalloc", name);
	if (vx_allocation_fails(name))
		return NULL;
	return vx_alloc(size, align, (void *)caller); /* zero, whether asked for or not: it is fresh */
}

/* In the name of whoever called the function that calls this. */
static __always_inline void *kmalloc_of(size_t size, gfp_t flags)
{
	size_t align = size >= PAGE_SIZE && is_power_of_2(size) ? PAGE_SIZE : 16;
	void *object = allocate(size, flags, align, _RET_IP_);

	if (object)
		__folio_set_slab(virt_to_folio(object)); /* else free_resource() takes it for boot memory */
	return object;
}

/* The names behind kmalloc() and its kin, which change with the profiling and hardening of a version. */
#if SINCE(6, 10)
kmem_buckets kmalloc_caches[NR_KMALLOC_TYPES];
#define OF_NODE(size) DECL_BUCKET_PARAMS(size, bucket)
#define kmalloc_trace __kmalloc_cache_noprof
#define kmalloc_node_trace __kmalloc_cache_node_noprof
#define kmalloc_large __kmalloc_large_noprof
#define kvmalloc_node_of __kvmalloc_node_noprof
#else
struct kmem_cache *kmalloc_caches[NR_KMALLOC_TYPES][KMALLOC_SHIFT_HIGH + 1];
#define kvmalloc_node_of kvmalloc_node
#define OF_NODE(size) size_t size
#endif

void *NOPROF(__kmalloc)(size_t size, gfp_t flags)
{
	return kmalloc_of(size, flags);
}

void *NOPROF(__kmalloc_node)(OF_NODE(size), gfp_t flags, int node)
{
	vx_check_node(node);
	return kmalloc_of(size, flags);
}

void *kmalloc_trace(struct kmem_cache *cache, gfp_t flags, size_t size)
{
	return kmalloc_of(size, flags);
}

void *kmalloc_node_trace(struct kmem_cache *cache, gfp_t flags, int node, size_t size)
{
	vx_check_node(node);
	return kmalloc_of(size, flags);
}

void *kmalloc_large(size_t size, gfp_t flags)
{
	return kmalloc_of(size, flags);
}

void *NOPROF(__kmalloc_node_track_caller)(OF_NODE(size), gfp_t flags, int node, unsigned long caller)
{
	return kmalloc_of(size, flags);
}

#if VX_KVMALLOC_ALIGNS
void *kvmalloc_node_of(OF_NODE(size), unsigned long align, gfp_t flags, int node)
#else
void *kvmalloc_node_of(OF_NODE(size), gfp_t flags, int node)
#endif
{
	vx_check_node(node);
	return kmalloc_of(size, flags);
}

static void give_back(const void *object, unsigned long caller)
{
	if (ZERO_OR_NULL_PTR(object))
		return;
	vx_point("kfree", NULL);
	vx_free_for((void *)object, (void *)caller);
}

void kfree(const void *object)
{
	give_back(object, _RET_IP_);
}

void kfree_const(const void *object)
{
	if (vx_readable(object, 1))
		kfree(object);
}

void kvfree(const void *object)
{
	give_back(object, _RET_IP_);
}

size_t ksize(const void *object)
{
	return vx_size_of(object);
}

size_t kmalloc_size_roundup(size_t size)
{
	return size;
}

void *NOPROF(kmemdup)(const void *from, size_t size, gfp_t flags)
{
	void *to = allocate(size, flags, 16, _RET_IP_);

	if (to)
		memcpy(to, from, size);
	return to;
}

char *kstrdup(const char *text, gfp_t flags)
{
	return text ? NOPROF(kmemdup)(text, strlen(text) + 1, flags) : NULL;
}

const char *kstrdup_const(const char *text, gfp_t flags)
{
	return kstrdup(text, flags);
}

char *kstrndup(const char *text, size_t most, gfp_t flags)
{
	size_t length = strnlen(text, most);
	char *copy = allocate(length + 1, flags, 16, _RET_IP_);

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* --- caches of objects --- */

struct kmem_cache {
	unsigned int size, align;
	void (*ctor)(void *);
};

static struct kmem_cache *make_cache(unsigned int size, unsigned int align, void (*ctor)(void *))
{
	struct kmem_cache *cache = kzalloc(sizeof(*cache), GFP_ATOMIC);

	cache->size = size;
	cache->align = max_t(unsigned int, align, 16);
	cache->ctor = ctor;
	return cache;
}

#if SINCE(6, 12)
struct kmem_cache *__kmem_cache_create_args(const char *name, unsigned int size,
					    struct kmem_cache_args *args, slab_flags_t flags)
{
	return make_cache(size, args->align, args->ctor);
}
#else
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *))
{
	return make_cache(size, align, ctor);
}
#endif

void *NOPROF(kmem_cache_alloc)(struct kmem_cache *cache, gfp_t flags)
{
	void *object = allocate(cache->size, flags, cache->align, _RET_IP_);

	if (object && cache->ctor)
		cache->ctor(object);
	return object;
}

void *NOPROF(kmem_cache_alloc_lru)(struct kmem_cache *cache, struct list_lru *lru, gfp_t flags)
{
	return NOPROF(kmem_cache_alloc)(cache, flags);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	give_back(object, _RET_IP_);
}

int NOPROF(kmem_cache_alloc_bulk)(struct kmem_cache *cache, gfp_t flags, size_t count, void **objects)
{
	size_t made;

	for (made = 0; made < count; made++)
		objects[made] = NOPROF(kmem_cache_alloc)(cache, flags);
	return count;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
{
	while (count)
		kfree(objects[--count]);
}

#if SINCE(6, 10)
#define GET_FREE_PAGES get_free_pages_noprof
#else
#define GET_FREE_PAGES __get_free_pages
#endif

/* --- pages: page frame number = address / 4096; struct pages lie where the kernel computes them --- */

unsigned long page_offset_base, vmemmap_base = VX_VMEMMAP, vmalloc_base, phys_base;

struct page *NOPROF(__alloc_pages)(gfp_t flags, unsigned int order, int node, nodemask_t *mask)
{
	void *pages = allocate(PAGE_SIZE << order, flags, PAGE_SIZE, _RET_IP_);
	struct page *page;

	if (!pages)
		return NULL;
	page = virt_to_page(pages);
	memset(page, 0, sizeof(*page) << order);
	return page;
}

struct page *NOPROF(alloc_pages)(gfp_t flags, unsigned int order)
{
	return NOPROF(__alloc_pages)(flags, order, NUMA_NO_NODE, NULL);
}

void __free_pages(struct page *page, unsigned int order)
{
	give_back(page_address(page), _RET_IP_);
}

unsigned long GET_FREE_PAGES(gfp_t flags, unsigned int order)
{
	return (unsigned long)allocate(PAGE_SIZE << order, flags, PAGE_SIZE, _RET_IP_);
}

unsigned long NOPROF(get_zeroed_page)(gfp_t flags)
{
	return GET_FREE_PAGES(flags | __GFP_ZERO, 0);
}

void free_pages(unsigned long address, unsigned int order)
{
	give_back((void *)address, _RET_IP_);
}

bool is_vmalloc_addr(const void *address)
{
	return !vx_readable(address, 1);
}

#define MAPPED_PAGES_MAX 4096

void *vmap(struct page **pages, unsigned int count, unsigned long flags, pgprot_t prot)
{
	static void *addresses[MAPPED_PAGES_MAX];
	unsigned int i;

	if (count > MAPPED_PAGES_MAX)
		return NULL;
	for (i = 0; i < count; i++)
		addresses[i] = page_address(pages[i]);
	return vx_alias_pages(addresses, count);
}

void vunmap(const void *address)
{
	vx_unalias((void *)address);
}

int set_memory_decrypted(unsigned long address, int pages)
{
	return 0;
}

int set_memory_encrypted(unsigned long address, int pages)
{
	return 0;
}

void *kmemdup_array(const void *from, size_t count, size_t size, gfp_t flags)
{
	return NOPROF(kmemdup)(from, count * size, flags);
}
