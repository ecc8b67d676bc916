import fc from "fast-check";
import { expect, test } from "vitest";
import { KernelLog, lineText, parseLine } from "./kernel-log.ts";

test("lines with and without a time", () => {
  expect(parseLine("[    1.250000] Run /init")).toEqual({ time: 1.25, text: "Run /init" });
  expect(parseLine("[  100.250000][    T1] hello ")).toEqual({ time: 100.25, text: "hello " });
  expect(parseLine("<6>[    0.000000]  indented")).toEqual({ time: 0, text: " indented" });
  expect(parseLine("no time")).toEqual({ time: undefined, text: "no time" });
  expect(lineText(parseLine("[    1.250000] Run /init"))).toBe("[    1.250000] Run /init");
  expect(lineText(parseLine("plain"))).toBe("plain");
});

test("however the bytes are cut, the lines are the same, and marks are no lines", () => {
  const text = "[    0.100000] one\r\n[    0.200000] suture-lab abc 7\r\n[    0.300000] zwei ü\r\n[    0.400000] suture-lab other 8\r\nend";
  const bytes = Buffer.from(text);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
      const marks: [number, number][] = [];
      let seen = 0;
      const log: KernelLog = new KernelLog(
        "abc",
        (id) => marks.push([id, log.position]),
        () => seen++,
      );
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      for (const [index, from] of places.entries()) log.push(bytes.subarray(from, places[index + 1] ?? bytes.length));
      expect(log.since().map(({ text }) => text)).toEqual(["one", "zwei ü", "suture-lab other 8"]);
      log.end();
      expect(log.since(2).map(({ text }) => text)).toEqual(["suture-lab other 8", "end"]);
      expect(marks).toEqual([[7, 1]]);
      expect(seen).toBe(4);
    }),
  );
});

test("a log without end keeps its newest lines, and positions stay valid", () => {
  const log = new KernelLog(
    "abc",
    () => {},
    () => {},
  );
  for (let block = 0; block < 150; block++)
    log.push(Buffer.from(Array.from({ length: 1000 }, (_, n) => `line ${block * 1000 + n}\n`).join("")));
  expect(log.position).toBe(150_000);
  expect(log.since(149_999).map(({ text }) => text)).toEqual(["line 149999"]);
  expect(log.since().length).toBeLessThanOrEqual(100_000);
  log.push(Buffer.alloc(1 << 20, 0x61));
  log.push(Buffer.from("\n"));
  expect(log.since(150_000)[0]?.text.length).toBe(4096);
});
