/** Strings and constants by what they hold, with where the ground has them. */
import { SHF } from "@suture/elf";
import type { Anchor, Literal } from "./model.ts";
import type { Merged } from "./references.ts";
import type { RunningCode } from "./running-code.ts";

/** @param merged one for each reference of the object that was held against the ground */
export function anchors(merged: readonly Merged[], running: Pick<RunningCode, "anchor">): (literal: Literal) => Anchor | undefined {
  let byContents: Map<string, number | undefined> | undefined;
  return (literal) => {
    byContents ??= addresses(merged);
    const address = byContents.get(keyOf(literal));
    // What is laid out for whole words may be read so.
    return address === undefined || address % Math.max(literal.align, 1) !== 0 ? undefined : running.anchor(address);
  };
}

/** Where references of one object to the same thing disagree, none of them is trusted. */
function addresses(merged: readonly Merged[]): Map<string, number | undefined> {
  const found = new Map<string, number | undefined>();
  for (const { section, bytes, address } of merged) {
    const { entsize, align, flags } = section;
    const key = keyOf({ bytes, entsize, align, strings: (flags & SHF.STRINGS) !== 0 });
    found.set(key, found.has(key) && found.get(key) !== address ? undefined : address);
  }
  return found;
}

function keyOf({ bytes, entsize, align, strings }: Literal): string {
  return `${strings} ${entsize} ${align} ${Buffer.from(bytes).toString("latin1")}`;
}
