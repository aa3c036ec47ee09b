/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects that a cache hands out in advance, for who may not fail later: a stack of them. Newer kernels have them. */
#include <linux/slab.h>

#include "shim.h"

#if VX_CACHES_HAVE_SHEAVES

struct slab_sheaf {
	unsigned int size;
	void *objects[];
};

static bool fill(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf *sheaf, unsigned int size)
{
	while (sheaf->size < size) {
		void *object = kmem_cache_alloc(cache, flags);

		if (!object)
			return false;
		sheaf->objects[sheaf->size++] = object;
	}
	return true;
}

void kmem_cache_return_sheaf(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf *sheaf)
{
	kmem_cache_free_bulk(cache, sheaf->size, sheaf->objects);
	kfree(sheaf);
}

struct slab_sheaf *kmem_cache_prefill_sheaf(struct kmem_cache *cache, gfp_t flags, unsigned int size)
{
	struct slab_sheaf *sheaf = kzalloc(struct_size(sheaf, objects, size), flags);

	if (!sheaf || fill(cache, flags, sheaf, size))
		return sheaf;
	kmem_cache_return_sheaf(cache, flags, sheaf);
	return NULL;
}

int kmem_cache_refill_sheaf(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf **sheaf,
			    unsigned int size)
{
	struct slab_sheaf *wider = kzalloc(struct_size(wider, objects, size), flags);

	if (!wider)
		return -ENOMEM;
	wider->size = (*sheaf)->size;
	memcpy(wider->objects, (*sheaf)->objects, wider->size * sizeof(void *));
	kfree(*sheaf);
	*sheaf = wider;
	return fill(cache, flags, wider, size) ? 0 : -ENOMEM;
}

void *kmem_cache_alloc_from_sheaf_noprof(struct kmem_cache *cache, gfp_t flags,
					 struct slab_sheaf *sheaf)
{
	return sheaf->size ? sheaf->objects[--sheaf->size] : NULL;
}

unsigned int kmem_cache_sheaf_size(struct slab_sheaf *sheaf)
{
	return sheaf->size;
}

#endif
