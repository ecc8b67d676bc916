// SPDX-License-Identifier: GPL-2.0
/*
 * Modules that go and come again while the livepatch is there. The kernel fills in what the livepatch's code for a module refers to when that module
 * comes, and only where nothing is. Kernels before 6.3 leave it there when the module goes, and take the module no second time. So it is emptied here,
 * when nothing runs that code any more.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <suture.h>

#include "suture_again_list.h"

/* What begins the name of the sections with the references to an object, of which the object's name and that of what they are in follow. */
#define SUTURE_AGAIN_PREFIX ".klp.rela."

/* Code is read-only where it runs: it has another place for as long as it is written. */
static bool suture_again_empty(void *where, unsigned int bytes)
{
	while (bytes) {
		unsigned int here = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(where));
		struct page *page = vmalloc_to_page(where);
		void *base = page ? vmap(&page, 1, VM_MAP, PAGE_KERNEL) : NULL;

		if (!base)
			return false;
		memset(base + offset_in_page(where), 0, here);
		vunmap(base);
		where += here;
		bytes -= here;
	}
	return true;
}

static bool suture_again_is_of(const char *section, const char *object)
{
	size_t prefix = strlen(SUTURE_AGAIN_PREFIX), length = strlen(object);

	return !strncmp(section, SUTURE_AGAIN_PREFIX, prefix) && !strncmp(section + prefix, object, length) && section[prefix + length] == '.';
}

static void suture_again_clear(struct klp_object *obj)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	bool empty = true;
	unsigned int i;

	if (!obj->name || !info)
		return;
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *section = &info->sechdrs[i];
		const Elf_Rela *rela = (const void *)section->sh_addr;
		unsigned long start;
		unsigned int j;

		if (!(section->sh_flags & SHF_RELA_LIVEPATCH) || !suture_again_is_of(info->secstrings + section->sh_name, obj->name))
			continue;
		start = info->sechdrs[section->sh_info].sh_addr;
		for (j = 0; j < section->sh_size / sizeof(*rela); j++)
			empty &= suture_again_empty((void *)(start + rela[j].r_offset), suture_again_bytes(ELF_R_TYPE(rela[j].r_info)));
	}
	if (!empty)
		pr_err("%s: there is no memory: %s cannot be loaded again while this livepatch is loaded\n", KBUILD_MODNAME, obj->name);
}

/* The livepatch may go out of effect and be enabled again while the module is there: then what was filled in is needed. */
static void suture_again_gone(struct klp_object *obj)
{
	if (obj->mod && !obj->mod->klp_alive)
		suture_again_clear(obj);
}
