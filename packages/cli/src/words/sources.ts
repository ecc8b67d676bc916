/** Shell code that prints, a line each, what a value may be on this machine. It asks files only: a key press must not start a program. */
import type { Kind } from "./kinds.ts";

/** Kernels that are installed, and those that are ready in the cache: kernels/RELEASE_VERSION_FORMAT. */
const KERNELS = `for path in /lib/modules/*/ "\${XDG_CACHE_HOME:-$HOME/.cache}"/suture/kernels/*/; do
  [ -d "$path" ] && path=\${path%/} && path=\${path##*/} && echo "\${path%%_*}"
done | sort -u`;

/** Livepatches in the kernel, and those that are kept: /var/lib/suture/patches/RELEASE/NAME.ko. */
const LIVEPATCHES = `for path in /sys/kernel/livepatch/*/ /var/lib/suture/patches/*/*.ko; do
  [ -e "$path" ] && path=\${path%/} && path=\${path##*/} && echo "\${path%.ko}"
done | sort -u`;

export const LISTS: Readonly<Partial<Record<Kind, string>>> = { kernel: KERNELS, livepatch: LIVEPATCHES };
