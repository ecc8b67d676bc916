import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Kept, SummarySchema } from "../qualification/kept.ts";
import { lackOf } from "../qualification/needs.ts";
import { COMMON, helpOf, Options, WrongUse } from "../qualification/options.ts";
import { RUNS } from "../qualification/runs.ts";

describe("what a run needs", () => {
  it("is said with what to type, programs and files, each package once", () => {
    const needs = { sh: "dash", "suture-none": "none", "/usr/include/suture-none.h": "none-dev", "suture-none-too": "none" };
    expect(lackOf({ needs })).toBe("suture-none, /usr/include/suture-none.h, suture-none-too missing: apt-get install none none-dev");
    expect(lackOf({ needs: { sh: "dash", "/bin/sh": "dash" } })).toBeUndefined();
  });
});

describe("kept results", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "suture-kept-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (more: { commit?: string; kernel?: string; again?: string[]; ofCommit?: boolean } = {}): Kept => {
    const { commit = "one", kernel = "6.1.0-1", again = [], ofCommit = false } = more;
    return new Kept(folder, { run: "corpus", commit, kernel, options: { seed: "3" } }, { again, ofCommit });
  };
  const add = (kept: Kept, name: string, more: object = {}): void => kept.add({ name, good: true, outcome: "passed", ms: 5, ...more });
  const names = (kept: Kept): string[] => kept.all.map(({ name }) => name);
  const file = (): string => join(folder, "results.jsonl");

  it("are there when the run is started again, and the header says what with", () => {
    add(open(), "a");
    expect(names(open())).toEqual(["a"]);
    const [header = ""] = readFileSync(file(), "utf8").split("\n");
    expect(JSON.parse(header)).toMatchObject({ run: "corpus", commit: "one", kernel: "6.1.0-1", options: { seed: "3" } });
  });

  it("do not count where the line was never finished, whatever it says, and the next line is whole", () => {
    const kept = open();
    add(kept, "a");
    add(kept, "b");
    const text = readFileSync(file(), "utf8");
    const last = text.trimEnd().length - text.trimEnd().lastIndexOf("\n");
    for (let cut = 1; cut < last; cut++) {
      rmSync(file());
      appendFileSync(file(), text.slice(0, -cut));
      const again = open();
      expect(names(again)).toEqual(["a"]);
      add(again, "c");
      expect(names(open())).toEqual(["a", "c"]);
    }
  });

  it.each([["{}\n"], ['{"name":"x"\n'], ["\n"], ['{"name":"x","good":"yes","outcome":"passed","ms":1}\n']])(
    "refuse a whole line that is none: %j",
    (line) => {
      add(open(), "a");
      appendFileSync(file(), line);
      expect(() => open()).toThrow(/results\.jsonl:3 is no result/);
    },
  );

  it("of another kernel or run are not mixed with these", () => {
    add(open(), "a");
    expect(() => open({ kernel: "6.1.0-2" })).toThrow("holds results of corpus 6.1.0-1");
  });

  it("are forgotten by --again: a name, an outcome, a code, a word of its own, all", () => {
    for (const [word, left] of [
      ["a", "bcd"],
      ["failed", "acd"],
      ["SOME_CODE", "abd"],
      ["odd", "abc"],
      ["nothing", "abcd"],
      ["all", ""],
    ] as const) {
      rmSync(file(), { force: true });
      const kept = open();
      add(kept, "a");
      add(kept, "b", { outcome: "failed" });
      add(kept, "c", { code: "SOME_CODE" });
      add(kept, "d", { more: { class: "odd" } });
      const again = open({ again: [word] });
      expect(names(again).join("")).toBe(left);
      expect(again.again.length).toBe(4 - left.length);
      expect(names(open()).join("")).toBe(left);
    }
  });

  it("of a commit count for no other where the run says so, and elsewhere it is said how many are of which", () => {
    add(open(), "a");
    const kept = open({ commit: "two" });
    add(kept, "b");
    expect(open({ commit: "two" }).summarise(true, undefined).commits).toEqual({ one: 1, two: 1 });
    expect(names(open({ commit: "two", ofCommit: true }))).toEqual(["b"]);
  });

  it("are summed up: how many are good, what became of them, which are not", () => {
    const kept = open();
    add(kept, "a");
    add(kept, "b", { good: false, outcome: "refused", code: "CODE", why: "for a reason" });
    add(kept, "c", { good: false, outcome: "lost" });
    const summary = kept.summarise(false, new Set(["a", "b", "x"]), { functions: 3 });
    const written: unknown = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8"));
    expect(v.parse(SummarySchema, written)).toMatchObject({
      ended: false,
      done: 2,
      good: 1,
      outcomes: { passed: 1, CODE: 1 },
      bad: [{ name: "b", outcome: "refused", code: "CODE", why: "for a reason" }],
      more: { functions: 3 },
    });
    expect(summary.done).toBe(2);
  });
});

describe("the words of runs", () => {
  const words = {
    limit: { ...COMMON.limit, is: "50", short: "2" },
    "no-try": { what: "none" },
    corpus: { value: "DIR", what: "of fixes" },
  };
  const of = (...args: string[]): Options => Options.of({ words }, args);

  it("are what is given, then what the short form says, then what is so unless given", () => {
    expect([of(), of("--short"), of("--short", "--limit", "7")].map((options) => options.number("limit"))).toEqual([50, 2, 7]);
    expect(of("--corpus", "x").text("corpus")).toBe("x");
    expect([of().flag("no-try"), of("--no-try").flag("no-try")]).toEqual([false, true]);
    expect([of().list("again"), of("--again", "a,b").list("again")]).toEqual([[], ["a", "b"]]);
  });

  it.each([[["--limit", "many"]], [["--unknown"]], [["positional"]], [["--limit"]], [["--no-try=1"]]])("refuse %j", (args) => {
    expect(() => of(...args)).toThrow(WrongUse);
  });

  it("mean the same in all runs, and every run has a line and a page", () => {
    expect(new Set(RUNS.map(({ name }) => name)).size).toBe(RUNS.length);
    for (const run of RUNS) {
      expect(helpOf(run)).toContain(`npm run qualify -- ${run.name} [options]`);
      for (const [name, word] of Object.entries(run.words)) {
        const common = COMMON[name as keyof typeof COMMON] as { value?: string } | undefined;
        if (common !== undefined) expect([run.name, name, word.value]).toEqual([run.name, name, common.value]);
      }
    }
  });
});
