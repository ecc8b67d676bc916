/** Images of x86-64. */
import type { Image } from "../image.ts";

export const image: Image = {
  /** __START_KERNEL_map: the top 2 GiB. */
  base: () => -0x80000000,
};
