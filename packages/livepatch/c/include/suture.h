/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Livepatches written by hand: what a C file says to `suture build --from FILE.c`. See docs/authoring.md.
 *
 * The file holds the new functions and, beside them, declarations: which of the kernel's functions each replaces, callbacks, shadow variables,
 * states. Suture reads them in the object and takes them out again: they cost nothing in the kernel. OBJECT is "vmlinux" or the name of a
 * module as lsmod shows it. Whatever the file declares as extern and does not define is the kernel's, exported or not.
 */
#ifndef SUTURE_H
#define SUTURE_H

#include <linux/livepatch.h>

/* The livepatch itself, for klp_get_state() and klp_get_prev_state(). */
extern struct klp_patch suture_patch;

struct suture_declaration {
	unsigned int kind;
	unsigned int line;
	const char *source;
	const char *object;
	const char *name;
	const char *file;
	const void *code;
	unsigned long number;
	unsigned long version;
};

#define SUTURE_KIND_REPLACE 1
#define SUTURE_KIND_SYMBOL 2
#define SUTURE_KIND_PRE_PATCH 3
#define SUTURE_KIND_POST_PATCH 4
#define SUTURE_KIND_PRE_UNPATCH 5
#define SUTURE_KIND_POST_UNPATCH 6
#define SUTURE_KIND_STATE 7
#define SUTURE_KIND_SHADOW 8

#define SUTURE_DECLARE(kind_, object_, name_, file_, code_, number_, version_)                        \
	static const struct suture_declaration __UNIQUE_ID(suture_declaration)                        \
		__attribute__((__used__, __section__(".suture.declarations"), __aligned__(8))) = {    \
		.kind = kind_,                                                                        \
		.line = __LINE__,                                                                     \
		.source = __FILE__,                                                                   \
		.object = object_,                                                                    \
		.name = name_,                                                                        \
		.file = file_,                                                                        \
		.code = code_,                                                                        \
		.number = number_,                                                                    \
		.version = version_,                                                                  \
	}

/* Calls of OLD in OBJECT go to NEW, which has the same parameters and returns the same. */
#define SUTURE_REPLACE(object, old, new) SUTURE_DECLARE(SUTURE_KIND_REPLACE, object, #old, "", new, 0, 0)

/* The same where several functions have that name: FILE is the C file that defines the one that is meant, as "mm/vmalloc.c". */
#define SUTURE_REPLACE_IN(object, file, old, new) SUTURE_DECLARE(SUTURE_KIND_REPLACE, object, #old, file, new, 0, 0)

/* What this file calls LOCAL, and declares as extern, is the NAME of FILE in OBJECT. */
#define SUTURE_SYMBOL(local, object, file, name)                                                      \
	static const char __attribute__((__used__, __section__(".suture.names")))                     \
		suture_name_##local[] = #local;                                                       \
	SUTURE_DECLARE(SUTURE_KIND_SYMBOL, object, #name, file, suture_name_##local, 0, 0)

#define SUTURE_DECLARE_CALLBACK(kind, object, function, type)                                                 \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&function), type),                     \
		       #function " is no such callback: " #type);                                     \
	SUTURE_DECLARE(kind, object, #function, "", function, 0, 0)

/* Before OBJECT is patched; what is not 0 refuses the livepatch, or the module that is just loaded. */
#define SUTURE_PRE_PATCH(object, function)                                                            \
	SUTURE_DECLARE_CALLBACK(SUTURE_KIND_PRE_PATCH, object, function, int (*)(struct klp_object *))
/* When every task runs the new functions. */
#define SUTURE_POST_PATCH(object, function)                                                           \
	SUTURE_DECLARE_CALLBACK(SUTURE_KIND_POST_PATCH, object, function, void (*)(struct klp_object *))
/* Before the first task goes back to the old functions. */
#define SUTURE_PRE_UNPATCH(object, function)                                                          \
	SUTURE_DECLARE_CALLBACK(SUTURE_KIND_PRE_UNPATCH, object, function, void (*)(struct klp_object *))
/* When no task runs the new functions any more. */
#define SUTURE_POST_UNPATCH(object, function)                                                         \
	SUTURE_DECLARE_CALLBACK(SUTURE_KIND_POST_UNPATCH, object, function, void (*)(struct klp_object *))

/*
 * A change of the system that outlives single functions. A livepatch that replaces this one must declare the same ID, with this VERSION or a
 * higher one: the kernel refuses others.
 */
#define SUTURE_STATE(id, version) SUTURE_DECLARE(SUTURE_KIND_STATE, "", "", "", NULL, id, version)

/*
 * A shadow variable: data of TYPE that belongs to an object of the kernel, found by the object's address. ID is a number that no other
 * livepatch uses for something else. NAME_get(obj) finds it or is NULL; NAME_get_or_alloc(obj, gfp) makes it, all bytes 0; NAME_free(obj) frees
 * it, where the object is freed. When the livepatch is taken out, all that are left are freed.
 */
#define SUTURE_SHADOW(name, id, type) SUTURE_SHADOW_WITH(name, id, type, NULL, NULL)

/*
 * The same with a constructor, int (*)(void *obj, void *data, void *context), that runs once for each, under a lock: it may not sleep; and a
 * destructor, void (*)(void *obj, void *data), for what the data owns. The context is the third argument of NAME_get_or_alloc_with().
 */
#define SUTURE_SHADOW_WITH(name, id, type, constructor, destructor)                                   \
	static inline __maybe_unused type *name##_get(void *obj)                                      \
	{                                                                                             \
		return klp_shadow_get(obj, id);                                                       \
	}                                                                                             \
	static inline __maybe_unused type *name##_get_or_alloc_with(void *obj, gfp_t gfp, void *context) \
	{                                                                                             \
		return klp_shadow_get_or_alloc(obj, id, sizeof(type), gfp, constructor, context);     \
	}                                                                                             \
	static inline __maybe_unused type *name##_get_or_alloc(void *obj, gfp_t gfp)                  \
	{                                                                                             \
		return name##_get_or_alloc_with(obj, gfp, NULL);                                      \
	}                                                                                             \
	static inline __maybe_unused void name##_free(void *obj)                                      \
	{                                                                                             \
		klp_shadow_free(obj, id, destructor);                                                 \
	}                                                                                             \
	SUTURE_DECLARE(SUTURE_KIND_SHADOW, "", #name, "", destructor, id, sizeof(type))

/* Compile this file with the folders and definitions that the kernel's build gives to FILE: for private headers. */
#define SUTURE_FLAGS_OF(file)

#endif
