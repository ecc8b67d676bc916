/** Code as text, for people. */
import type { ListedInstruction } from "../code.ts";
import { iced } from "./iced.ts";

/** Fields with a name hold this and their number while the text is made, and are found in it by that. */
const MARK = 0x5a5a0000;
const BASE = 0x100000000n;

/** Undefined if the bytes are not all instructions. */
export function listing(code: Uint8Array, names: ReadonlyMap<number, string>): ListedInstruction[] | undefined {
  const { Decoder, DecoderOptions, FlowControl, Formatter, FormatterSyntax, Instruction } = iced();
  // Of a Buffer slice() would be the same bytes again.
  const marked = new Uint8Array(code);
  const view = new DataView(marked.buffer);
  const fields = [...names].filter(([at]) => at >= 0 && at + 4 <= code.length);
  for (const [i, [at]] of fields.entries()) view.setUint32(at, MARK + i, true);
  const branches: ReadonlySet<number> = new Set([FlowControl.Call, FlowControl.UnconditionalBranch, FlowControl.ConditionalBranch]);
  const decoder = new Decoder(64, marked, DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  const formatter = new Formatter(FormatterSyntax.Gas);
  formatter.uppercaseHex = false;
  const found: ListedInstruction[] = [];
  let next = 0;
  try {
    const sorted = fields.map(([at, name], i) => ({ at, name, mark: MARK + i })).sort((a, b) => a.at - b.at);
    while (decoder.canDecode) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      if (instruction.isInvalid) return undefined;
      const own: typeof sorted = [];
      for (; (sorted[next]?.at ?? code.length) < decoder.position; next++) own.push(sorted[next] as (typeof sorted)[number]);
      const near = branches.has(instruction.flowControl) && instruction.nearBranchTarget !== 0n;
      if (near) {
        const [named] = own;
        const mnemonic = formatter.formatMnemonic(instruction);
        if (named !== undefined) found.push({ start, text: `${mnemonic} ${named.name}`, target: undefined });
        else found.push({ start, text: mnemonic, target: Number(instruction.nearBranchTarget - BASE) });
        continue;
      }
      let text = formatter.format(instruction);
      for (const { name, mark } of own) {
        if (instruction.isIpRelMemoryOperand) {
          const address = `0x${instruction.ipRelMemoryAddress.toString(16)}`;
          if (text.includes(address)) {
            text = text.replace(address, () => `${name}(%rip)`);
            continue;
          }
        }
        text = text.replace(`0x${mark.toString(16)}`, () => name);
      }
      found.push({ start, text, target: undefined });
    }
    return found;
  } finally {
    formatter.free();
    instruction.free();
    decoder.free();
  }
}
