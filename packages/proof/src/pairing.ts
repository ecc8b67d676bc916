/**
 * The instructions of a function in two builds, paired. The builds may differ in what the assembler filled in to align a loop: functions begin
 * elsewhere. Jumps across it may then be of another length, and so are the no-ops in the place of those that a static key switches on. That is taken for padding only if it is exactly what the assembler writes, right before a place that is aligned in both builds,
 * less than would align it once more, and if nothing is said of any of it. All else must have its pair.
 */
import type { AlignmentFill, Code, Instruction } from "@suture/arch";
import type { CodeUses } from "./code-uses.ts";
import type { Part } from "./items.ts";

/** A function in one of the builds. */
export interface Side {
  part: Part;
  /** Bytes from the start of the section. */
  start: number;
  bytes: Uint8Array;
  instructions: readonly Instruction[];
  uses: CodeUses;
}

/** Places are bytes from the start of the function. */
export interface Pairing {
  pairs: readonly (readonly [own: Instruction, plain: Instruction])[];
  /** Of those, by the first build's: no-ops in the place of a jump that a static key switches on, which is of another length in the other build. */
  switches: ReadonlySet<Instruction>;
  /**
   * Where the other build has a place: at one, or at one of two where it alone has padding, which begin and end there. None if the place is in
   * the midst of an instruction that is of another length there.
   */
  places(offset: number): readonly number[];
}

/** @param fill what the assembler aligns with, in both. @returns why the instructions have no pairs, if they have none */
export function pairUp(own: Side, plain: Side, fill: AlignmentFill): Pairing | string {
  const pairs: (readonly [Instruction, Instruction])[] = [];
  const places = new Map<number, readonly number[]>();
  const switches = new Set<Instruction>();
  const [these, those] = [own.instructions, plain.instructions];
  let [i, j] = [0, 0];
  while (i < these.length || j < those.length) {
    const noOps: readonly [number, number] = [noOpsFrom(own, i), noOpsFrom(plain, j)];
    if (noOps[0] > 0 || noOps[1] > 0) {
      const kept = keptOf(own, plain, [i, j], noOps, fill);
      if (kept === undefined) return `at 0x${startOf(own, i).toString(16)}: no-ops that are not the same, and are no padding`;
      for (let k = 0; k < kept; k++) {
        const [one, other] = [these[i + k] as Instruction, those[j + k] as Instruction];
        pairs.push([one, other]);
        if (one.end - one.start !== other.end - other.start) switches.add(one);
      }
      const [from, to] = [startOf(own, i + kept), startOf(plain, j + kept)];
      i += noOps[0];
      j += noOps[1];
      if (startOf(own, i) > from) places.set(from, [to]);
      else if (startOf(plain, j) > to) places.set(from, [startOf(plain, j), to]);
      continue;
    }
    const [one, other] = [these[i++], those[j++]];
    if (one === undefined || other === undefined) return `${these.length} instructions, the plain build has ${those.length}`;
    pairs.push([one, other]);
  }
  for (const [one, other] of pairs) if (!places.has(one.start)) places.set(one.start, [other.start]);
  if (!places.has(own.bytes.length)) places.set(own.bytes.length, [plain.bytes.length]);
  return {
    pairs,
    switches,
    places(offset) {
      const whole = places.get(offset);
      if (whole !== undefined) return whole;
      const pair = pairs.find(([one]) => offset > one.start && offset < one.end);
      if (pair === undefined) return [];
      const [one, other] = pair;
      return one.end - one.start === other.end - other.start ? [other.start + offset - one.start] : [];
    },
  };
}

/** Where the instruction starts, or the code ends. */
function startOf({ instructions, bytes }: Side, number: number): number {
  return instructions[number]?.start ?? bytes.length;
}

function codeOf({ part }: Side): Code {
  return part.arch.code;
}

function isNoOp(side: Side, number: number): boolean {
  const one = side.instructions[number];
  return one !== undefined && codeOf(side).isNoOp(side.bytes.subarray(one.start, one.end));
}

/** How many no-ops there are from that instruction on. */
function noOpsFrom(side: Side, number: number): number {
  let count = 0;
  while (isNoOp(side, number + count)) count++;
  return count;
}

/** Of the no-ops that both builds have from there on, how many are of the source, and have their pair; the others align what follows. */
function keptOf(
  own: Side,
  plain: Side,
  [i, j]: readonly [number, number],
  [ofOwn, ofPlain]: readonly [number, number],
  fill: AlignmentFill,
): number | undefined {
  const alignment = alignmentOf(own, startOf(own, i + ofOwn), plain, startOf(plain, j + ofPlain));
  for (let kept = 0; kept <= Math.min(ofOwn, ofPlain); kept++) {
    const whole = kept === ofOwn && kept === ofPlain;
    if (whole || (pads(own, i + kept, i + ofOwn, alignment, fill) && pads(plain, j + kept, j + ofPlain, alignment, fill))) return kept;
    if (!sameNoOp(own, i + kept, plain, j + kept)) return undefined;
  }
  return undefined;
}

/** The same bytes, which are padding in both builds or in neither; or of two lengths, where both are a jump that a static key switches on. */
function sameNoOp(own: Side, i: number, plain: Side, j: number): boolean {
  const [one, other] = [own.instructions[i], plain.instructions[j]];
  if (one === undefined || other === undefined) return false;
  const same = Buffer.compare(own.bytes.subarray(one.start, one.end), plain.bytes.subarray(other.start, other.end)) === 0;
  return same ? isFree(own, one) === isFree(plain, other) : isSwitch(own, one) && isSwitch(plain, other);
}

function isSwitch(side: Side, { start, end }: Instruction): boolean {
  const { part, uses, bytes } = side;
  return codeOf(side).isSwitchNoOp(bytes.subarray(start, end)) && uses.isSwitch(part, side.start + start, side.start + end);
}

function isFree({ part, start, uses }: Side, one: Instruction): boolean {
  return uses.isFree(part, start + one.start, start + one.end);
}

/** What both places are aligned to as loops are; 0 if they are not, or are where the function ends. */
function alignmentOf(own: Side, at: number, plain: Side, there: number): number {
  const { loopAlignments } = codeOf(own);
  const aligned = loopAlignments.filter(
    (size) =>
      (own.start + at) % size === 0 &&
      (plain.start + there) % size === 0 &&
      own.part.section.align % size === 0 &&
      plain.part.section.align % size === 0,
  );
  return at === own.bytes.length || there === plain.bytes.length ? 0 : Math.max(0, ...aligned);
}

/** Whether the no-ops are what the assembler aligns with, and nothing else. */
function pads(side: Side, first: number, end: number, alignment: number, fillOf: AlignmentFill): boolean {
  const [from, to] = [startOf(side, first), startOf(side, end)];
  const { bytes, instructions, part, start, uses } = side;
  if (to - from >= alignment) return false;
  const fill = fillOf(to - from);
  if (fill === undefined || Buffer.compare(bytes.subarray(from, to), fill) !== 0) return false;
  const inside = (target: number | undefined): boolean => target !== undefined && target > from && target < to;
  if (instructions.some(({ branch, relative }) => inside(branch?.target) || inside(relative?.target))) return false;
  return uses.isFree(part, start + from, start + to);
}
