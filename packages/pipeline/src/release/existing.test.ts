import { expect, test } from "vitest";
import { hunksBetween } from "./difference.ts";
import { doubtOf } from "./existing.ts";
import { namedHunks } from "./pieces.ts";

const F = (name: string, ...body: string[]): string =>
  `static int ${name}(struct p *p)\n{\n${body.map((line) => `\t${line}\n`).join("")}}\n\n`;

function doubt(before: string, after: string): string {
  const found = doubtOf(namedHunks({ path: "net/x.c", before, after }, hunksBetween(before, after), 0));
  expect([undefined, "CATCHUP_EXISTING"]).toContain(found?.code);
  return found?.message ?? "";
}

test("what was freed as it is, and is to be a part of something now", () => {
  const before = F("make", "ring = kcalloc(n, size, GFP_KERNEL);") + F("drop", "kfree(ring);");
  const after =
    F("make", "all = kzalloc(struct_size(all, ring, n), GFP_KERNEL);") +
    F("drop", "all = container_of(ring, struct all, ring[0]);", "kfree(all);");
  expect(doubt(before, after)).toContain("ring, which the old code allocates and frees by itself");
  expect(doubt(before, before.replace("kfree(ring)", "kvfree(ring)"))).toBe("");
});

test("a place that is reckoned otherwise", () => {
  const body = (key: string): string => F("get", `return *(void **)(l->key + ${key});`);
  expect(doubt(body("size"), body("round_up(size, 8)"))).toContain("what is stored at l->key+size");
  expect(doubt(body("size"), `${body("size")}${F("other", "x();")}`)).toBe("");
});

test("an initialisation that moves to another function, and not within one", () => {
  const before = F("make", "a();") + F("connect", "INIT_WORK(&p->work, run);", "b();");
  const after = F("make", "a();", "INIT_WORK(&p->work, run);") + F("connect", "b();");
  expect(doubt(before, after)).toContain("INIT_WORK() moves from connect to make");
  expect(doubt(F("make", "INIT_WORK(&p->work, run);", "a();", "c();"), F("make", "a();", "c();", "INIT_WORK(&p->work, run);"))).toBe("");
});

test("a member that the file did not know, set by one function and read by another", () => {
  const before = F("make", "a();") + F("drop", "b();");
  const after = F("make", "a();", "p->owner = get();") + F("drop", "b();", "put(p->owner);");
  expect(doubt(before, after)).toContain("drop reads owner, which only make sets");
  expect(doubt(before + F("set", "p->owner = 0;"), after + F("set", "p->owner = 0;"))).toBe("");
  expect(doubt(before, F("make", "a();", "p->owner = get();", "put(p->owner);") + F("drop", "b();"))).toBe("");
});

test("a variable that only code sets which has run", () => {
  const begin = (line: string): string => `static int __init begin(void)\n{\n\ta();\n${line}\treturn 0;\n}\n\n`;
  const before = begin("") + F("work", "queue(system_wq);");
  const after = `static struct wq *own_wq;\n\n${begin("\town_wq = alloc_workqueue();\n")}${F("work", "queue(own_wq);")}`;
  expect(doubt(before, after)).toContain("own_wq is new, and set by code that runs once");
  const late = (text: string): string => text.replace("__init ", "");
  expect(doubt(late(before), late(after))).toBe("");
});

test("a fix of a function's body meets nothing", () => {
  expect(doubt(F("run", "p->count = 1;", "use(p->count);"), F("run", "p->count = 2;", "if (p->count)", "  use(p->count);"))).toBe("");
});
