import type { LiveRecord } from "@suture/diff";
import { type ElfObject, newSymbol, Section, SHT, STB } from "@suture/elf";
import { expect, test } from "vitest";
import { accepts, checkShown, checkTogether, holdAdded, liveNotes } from "./live.ts";

const word = (more: Partial<LiveRecord> = {}): LiveRecord => ({
  variable: "ops",
  at: 8,
  size: 8,
  was: "nothing",
  becomes: "stop",
  fills: true,
  holds: true,
  readOnly: false,
  state: 1,
  ...more,
});
type Part = Parameters<typeof checkTogether>[0][number];

const part = (object: string, live: LiveRecord[], more: Partial<Part["delta"]> = {}): Part => ({
  object,
  delta: { live, leans: [], functions: [], newCallsByPointer: [], added: [], handed: [], ...more },
});
const replaced = (name: string, bind: number): Part["delta"]["functions"][number] => {
  const symbol = newSymbol({ name, place: "undef", bind });
  return { name, why: "", through: [], sizeBefore: 1, size: 1, original: symbol, symbol };
};
const all = new Set(["ops"]);

test("a place of one object is not filled while code of another begins to call by pointers", () => {
  const caller = part("core.o", [], { newCallsByPointer: ["shutdown"] });
  expect(() => checkTogether([part("driver.o", [word()]), caller], all)).toThrow(
    /a place in ops that was empty gets stop, and shutdown of core.o/,
  );
  checkTogether([part("driver.o", [word({ fills: false, was: "go" })]), caller], all);
  checkTogether([part("driver.o", [word()], { newCallsByPointer: ["its own are looked at by the differ"] }), part("core.o", [])], all);
});

test("what an old value leads to comes to nothing that another object replaces", () => {
  const table = part("a.o", [word({ fills: false, was: "f" })], { leans: ["g"] });
  const refused = (bind: number) => () => checkTogether([table, part("b.o", [], { functions: [replaced("g", bind)] })], all);
  expect(refused(STB.GLOBAL)).toThrow(/what ops \(f\) held leads to g, which b.o replaces/);
  // That one is another.
  expect(refused(STB.LOCAL)).not.toThrow();
  expect(() => checkTogether([table, part("b.o", [], { functions: [replaced("h", STB.GLOBAL)] })], all)).not.toThrow();
});

test("a name without its object is a word for one variable", () => {
  const parts = [part("a.o", [word({ fills: false })]), part("b.o", [word({ fills: false })])];
  expect(() => checkTogether(parts, all)).toThrow(/ops differs in a.o and in b.o, and which of them is meant is not said/);
  checkTogether(parts, new Set(["a.o:ops", "b.o:ops"]));
  checkTogether(parts, new Set(["a.o:ops", "ops"]));
  const accept = accepts(new Set(["a.o:ops", "limit"]), "a.o");
  expect(["ops", "limit", "other"].map(accept)).toEqual([true, true, false]);
  expect(accepts(new Set(["a.o:ops"]), "b.o")("ops")).toBe(false);
});

test("no more words than the module can tell of", () => {
  const shown = (count: number) => () =>
    checkShown([{ owner: { name: "vmlinux" }, delta: { live: Array.from({ length: count }, (_, i) => word({ at: 0x100 + i })) } }]);
  // "out vmlinux ops+0x100" and the end of the line.
  expect(shown(186)).not.toThrow();
  expect(shown(187)).toThrow(/187 words of the kernel's data differ/);
});

test("a pointer to what another object adds leads into the livepatch, too", () => {
  const text = new Section({ name: ".text", type: SHT.PROGBITS });
  const adding = (name: string, bind: number) => ({ symbols: [newSymbol({ name, place: text, bind })] });
  const held = (object: Pick<ElfObject, "symbols">): Part => {
    const one = part("a.o", [word({ holds: false, becomes: "stop" })]);
    holdAdded([one], [{ delta: { object: undefined } }, { delta: { object } }]);
    return one;
  };
  expect(held(adding("stop", STB.GLOBAL)).delta).toMatchObject({ live: [{ holds: true }], handed: [{ function: "ops", name: "stop" }] });
  expect(held(adding("stop", STB.LOCAL)).delta).toMatchObject({ live: [{ holds: false }], handed: [] });
  expect(held(adding("start", STB.GLOBAL)).delta).toMatchObject({ live: [{ holds: false }], handed: [] });
});

test("a person is told what is changed, when, and that the module stays", () => {
  const [own = "", other = ""] = liveNotes([word({ was: "go" }), word({ at: 0, holds: false })]);
  expect(own).toMatch(/^ops\+0x8 is stop in place of go when every task runs the new code, .*the module stays in memory/);
  expect(other).toMatch(/^ops is stop in place of nothing/);
  expect(other).not.toContain("stays in memory");
});
