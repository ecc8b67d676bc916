/** The decoder. It takes 80 ms to load, so it is loaded when first needed. */
import { createRequire } from "node:module";

export type Iced = typeof import("iced-x86");
let loaded: Iced | undefined;

export function iced(): Iced {
  loaded ??= createRequire(import.meta.url)("iced-x86") as Iced;
  return loaded;
}
