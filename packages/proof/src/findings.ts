/** What is found wrong, put down where it is. */

import type { Part } from "./items.ts";
import type { Doubt } from "./model.ts";
import type { Stretch } from "./running-code.ts";
import type { Span, Wrong } from "./spans.ts";

/** Something that is wrong. */
export interface Finding {
  code: Doubt;
  /** The part that it counts against. */
  part: Part;
  /** Bytes from that part's start; undefined if it is about the whole part. */
  at: number | undefined;
  why: string;
  /** Where the bytes are: in the part itself, or in a table's entry about it. */
  section: string;
  offset: number;
  bytes: { object: Uint8Array; kernel: Uint8Array } | undefined;
  /** What the ground has in place of the item or entry. */
  kernel: Stretch | undefined;
}

/** Bytes shown of each side of a mismatch. */
const SHOWN = 16;

export class Findings {
  readonly all: Finding[] = [];

  /** About one place of a part, of which there is nothing to show. */
  at(part: Part, code: Doubt, at: number, why: string): void {
    this.all.push({ code, part, at, why, section: part.section.name, offset: at, bytes: undefined, kernel: undefined });
  }

  /** In a run of bytes: the part's own, or those of a table's entry about it. */
  put(part: Part, wrong: Wrong, section: string, span: Span | undefined, at: number): void {
    const offset = span === undefined ? 0 : wrong.offset - span.start;
    const bytes =
      span === undefined
        ? undefined
        : {
            object: span.data.slice(wrong.offset, Math.min(wrong.offset + SHOWN, span.end)),
            kernel: span.bytes.slice(offset, offset + SHOWN),
          };
    this.all.push({ code: wrong.code, part, at, why: wrong.why, section, offset: wrong.offset, bytes, kernel: span });
  }

  whole(part: Part, code: Doubt, why: string): void {
    this.all.push({ code, part, at: undefined, why, section: part.section.name, offset: 0, bytes: undefined, kernel: undefined });
  }
}
