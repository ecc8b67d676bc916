/** What is written over several members of an object at once, and over the padding between them. */
import { argumentsOf, type Call, callsAround, closeOf, skipBack, skipOn, startOfOperand, wordBefore } from "./text.ts";

const FILLS = /^(?:__builtin_)?memset(?:_after|_startat|_io)?$/;
const COPIES = /mem(?:cpy|move)|copy_from|strscpy_pad/;
/** Other functions that write memory of some length, or give it. */
const OTHERS = /^(?:skb_copy_bits|skb_store_bits|\w*get_random_bytes\w*|\w*(?:alloc|memdup)\w*)$/;
/** Macros that find an object by one of its members, or only look at what it is at build time. */
const HARMLESS = /^(?:container_of(?:_const)?|\w*_entry(?:_\w+)?|kv?free_rcu\w*|BUILD_BUG_ON\w*|_?[Ss]tatic_assert)$/;

/** A place of the source, in which comments are spaces. */
export interface Place {
  mask: string;
  at: number;
}

/**
 * Why padding may be written where a member is used, or its place is asked for. Undefined: it is not.
 * @param places that, and where the macros were used in which it is
 */
export function spanOf(places: readonly Place[]): string | undefined {
  const calls = places.map(({ mask, at }) => ({ own: callAt(mask, at), around: callsAround(mask, at) }));
  if (calls.some(({ own, around }) => [own, ...around].some((call) => call !== undefined && HARMLESS.test(call.name)))) return undefined;
  // What stands at `->` is no name.
  const isUse = calls[0]?.own === undefined;
  for (const [i, { mask, at }] of places.entries()) {
    const { own, around } = calls[i] ?? { own: undefined, around: [] };
    const why = isUse ? usedIn(mask, at, around) : askedIn(mask, at, own, around);
    if (why !== undefined) return why;
  }
  return undefined;
}

function usedIn(mask: string, at: number, around: readonly Call[]): string | undefined {
  const begin = startOfOperand(mask, at);
  if (begin !== undefined && /\*\s*\(\s*\w[\w\s]*\*\s*\)\s*&\s*$/.test(mask.slice(Math.max(0, begin - 100), begin)))
    return "a member is taken for one of another type there, which may be longer";
  const [call] = around.filter(({ name }) => FILLS.test(name) || COPIES.test(name) || /^(?:skb_|\w*get_random)/.test(name));
  if (call === undefined || isZeroing(mask, call)) return undefined;
  const spans = argumentsOf(mask, call);
  const index = spans.findIndex(({ start, end }) => start <= at && at < end);
  const given = spans.map(({ start, end }) => mask.slice(start, end));
  if (COPIES.test(call.name) && index !== 0) return undefined;
  const isOne = /^sizeof\b[^-+*]*$/.test((given.at(-1) ?? "").replace(/->/g, "."));
  if (isOne || !/^(?:\([^()]*\)\s*)?&/.test(given[index] ?? "")) return undefined;
  return mayWrite(call);
}

function askedIn(mask: string, at: number, own: Call | undefined, around: readonly Call[]): string | undefined {
  const call = [...(own === undefined ? [] : [own]), ...around].find(
    ({ name }) => FILLS.test(name) || COPIES.test(name) || OTHERS.test(name),
  );
  if (call !== undefined) return isZeroing(mask, call) ? undefined : mayWrite(call);
  return own?.name === "offsetof" && !isInitialValue(mask, at) ? "the place of a member is reckoned with there" : undefined;
}

function mayWrite({ name }: Call): string {
  return `${name}() may have to do with several members there, and with what lies between them`;
}

function isZeroing(mask: string, call: Call): boolean {
  const second = argumentsOf(mask, call)[1];
  return FILLS.test(call.name) && second !== undefined && mask.slice(second.start, second.end) === "0";
}

/** The call of a macro or function whose name is there. */
function callAt(mask: string, at: number): Call | undefined {
  const name = /^[A-Za-z_]\w*/.exec(mask.slice(at, at + 200))?.[0];
  if (name === undefined) return undefined;
  const open = skipOn(mask, at + name.length);
  const close = mask[open] === "(" ? closeOf(mask, open) : undefined;
  return close === undefined ? undefined : { name, start: at, open, close };
}

/** `.key_offset = offsetof(...)`: members are found by it one at a time. */
function isInitialValue(mask: string, at: number): boolean {
  return /\.\s*\w+\s*=\s*$/.test(mask.slice(Math.max(0, at - 100), at));
}

/** What calls of a text may write as a whole, by the names of the functions: where these arguments lie. */
export function targetsIn(mask: string): { start: number; end: number; name: string }[] {
  return [...mask.matchAll(/\b(\w*(?:mem(?:cpy|move|set)|copy_from|copy_bits|random_bytes)\w*)\s*\(/g)].flatMap(
    ({ 0: found, 1: name = "", index }) => {
      const open = index + found.length - 1;
      const close = closeOf(mask, open);
      const before = skipBack(mask, index);
      // Where it is declared, its type stands before it.
      const isCalled = !/[\w*]/.test(mask[before - 1] ?? "") || /^(?:return|else|do)$/.test(wordBefore(mask, before));
      if (close === undefined || !isCalled || isZeroing(mask, { name, start: index, open, close })) return [];
      const spans = argumentsOf(mask, { open, close });
      return (/copy_bits/.test(name) ? spans : spans.slice(0, 1)).flatMap(({ start, end }) => {
        const cast = /^\(\s*(?:const\s+)?(?:void|char|u8|unsigned char)\s*\*\s*\)\s*/.exec(mask.slice(start, end))?.[0] ?? "";
        const operand = mask.slice(start + cast.length, end);
        return operand === "" || /\bsizeof\b/.test(operand) ? [] : [{ start: start + cast.length, end, name }];
      });
    },
  );
}
