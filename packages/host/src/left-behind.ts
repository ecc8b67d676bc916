/** What a livepatch leaves behind when its module is taken out: addresses in it that its code gave to others, who may keep them. */
import type { Manifest } from "@suture/livepatch";
import type { Machine } from "./machine.ts";
import { recordOf } from "./records.ts";

const SHOWN = 5;

/** In words, or undefined if there is nothing, or it was not loaded by Suture and does not say. */
export async function leftBehind(machine: Machine, name: string): Promise<string | undefined> {
  const { handed = [] } = (await recordOf(machine, name))?.manifest ?? {};
  return handed.length === 0 ? undefined : handedText(handed);
}

function handedText(handed: NonNullable<Manifest["handed"]>): string {
  const each = handed.map(
    ({ function: by, kind, name }) => `${by} gives away ${kind === "string" ? JSON.stringify(name) : `the ${kind} ${name}`}`,
  );
  return [...each.slice(0, SHOWN), ...(each.length > SHOWN ? [`and ${each.length - SHOWN} more`] : [])].join("; ");
}
