/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the source of a fix says to Suture. packages/diff/src/marks.ts reads it in the object, and nothing of it reaches the kernel. Names stand
 * in sections that are not loaded, as text, so that to name a function does not change how the compiler treats it.
 */
#ifndef SUTURE_MARKS_H
#define SUTURE_MARKS_H

#define SUTURE_MARK_NAME(section, text) \
	asm(".pushsection " section ",\"\",@progbits\n\t.asciz \"" text "\"\n\t.popsection")

/* The function must be declared, but is not used. */
#define SUTURE_MARK_FUNCTION(section, function)                                              \
	_Static_assert(sizeof(&function) == sizeof(void *), #function " is a function"); \
	SUTURE_MARK_NAME(section, #function)

/* A pointer to a function of the type. The livepatch core calls it by this pointer, so it is one for the compiler too. */
#define SUTURE_MARK_CALLBACK(kind, type, function) \
	static type suture_##kind##_##function __attribute__((__used__, __section__(".kpatch.callbacks." #kind))) = function

#endif
