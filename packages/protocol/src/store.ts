/** What is kept on the machine that runs: across boots in /var/lib/suture/patches/RELEASE, and until the next boot in /run/suture. */
import * as v from "valibot";
import { manifestSchema } from "./manifest.ts";
import { said } from "./said.ts";

/** NAME.json in the store. */
export const storeEntrySchema = v.object({
  suture: v.literal(1),
  sha256: v.string(),
  /** Of the kernel; undefined for a livepatch that does not tell. */
  buildId: v.optional(v.string()),
  /** Boot loads them in this order. */
  order: v.number(),
  fixes: manifestSchema.entries.fixes,
  /** What the person who installed it allowed. */
  unproven: v.boolean(),
  stack: v.boolean(),
});

export type StoreEntry = v.InferOutput<typeof storeEntrySchema>;

/** NAME.loading in the store. */
export const markerSchema = v.object({
  bootId: said(v.string(), "the boot in which it was set"),
  phase: v.picklist(["loading", "settling"]),
  uptime: said(v.number(), "seconds since boot"),
});

export type Marker = v.InferOutput<typeof markerSchema>;

/** NAME.json beside the copy of a module that was loaded in this boot. */
export const loadRecordSchema = v.object({
  parameters: v.array(v.string()),
  /** Seconds since boot, just before it. */
  uptime: v.number(),
  /** Of the copy, which was looked through before it was loaded. */
  sha256: v.exactOptional(v.string()),
});

export type LoadRecord = v.InferOutput<typeof loadRecordSchema>;
