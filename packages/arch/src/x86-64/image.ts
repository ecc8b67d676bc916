/** Images of x86-64. */
import type { Image } from "../image.ts";
import { isBootImage, readBootImage } from "./boot-image.ts";
import { relocatedFields } from "./relocated-fields.ts";

export const image: Image = {
  /** __START_KERNEL_map: the top 2 GiB. */
  base: () => -0x80000000,
  header: "a bzImage's setup header",
  isBootImage,
  readBootImage,
  relocatedFields,
};
