/* SPDX-License-Identifier: GPL-2.0 */
/* The name that klp-build's header has had in out-of-tree use. */
#include <linux/livepatch_helpers.h>
