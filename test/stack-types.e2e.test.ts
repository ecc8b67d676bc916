/**
 * Structures that live on the stacks of replaced functions only (docs/means.md) may lie otherwise in a fix: one of a stock kernel, in, seen, out, in while
 * it is used all the time; and what must be refused.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { BuildOptions, Livepatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { OWN } from "@suture/testkit/series";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-stack-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TRIE = "net/ipv4/fib_trie.c";
/** All members move; the one that shows the statistics and the one that collects them must agree. */
const MARKS: readonly Edit[] = [
  [TRIE, /^struct trie_stat \{/m, "struct trie_stat {\n\tunsigned long marks[4];"],
  [TRIE, /\tmemset\(s, 0, sizeof\(\*s\)\);/, "$&\n\ts->marks[3] = 42;"],
  [TRIE, /\tseq_printf\(seq, "\\tMax depth: /, '\tseq_printf(seq, "\\tMarks: %lu\\n", stat->marks[3]);\n$&'],
];

/** Of each what stands in the way. */
const REFUSED: readonly (readonly [why: string, edits: readonly Edit[], ground: string])[] = [
  [
    "a variable of the kernel holds one",
    [
      ...MARKS,
      [TRIE, /^static void trie_show_stats/m, "static struct trie_stat last_stat;\n\n$&"],
      [TRIE, /\t\t\ttrie_show_stats\(seq, &stat\);/, "$&\n\t\t\tlast_stat = stat;"],
    ],
    "of trie_stat: the variable last_stat is or has one",
  ],
  [
    "another structure has one",
    [
      ...MARKS,
      [TRIE, /^static void trie_show_stats/m, "struct marked {\n\tstruct trie_stat *of;\n};\n\n$&"],
      [
        TRIE,
        /\t\t\ttrie_show_stats\(seq, &stat\);/,
        '\t\t\t{\n\t\t\t\tstruct marked one = { &stat };\n\n\t\t\t\tseq_printf(seq, "%p\\n", &one);\n\t\t\t}\n$&',
      ],
    ],
    "the member of of marked is or has one",
  ],
  [
    "its address is in a list, where another task finds it",
    [["ipc/msg.c", /^struct msg_receiver \{/m, "struct msg_receiver {\n\tlong marks;"]],
    "msg_receiver",
  ],
  [
    "a function that knows it cannot be replaced",
    [["fs/d_path.c", /^struct prepend_buffer \{/m, "struct prepend_buffer {\n\tint marks;"]],
    "knows it and is not replaced",
  ],
];

let kernel: KernelContext;
beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
}, 600_000);
afterAll(() => kernel?.close());

async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
  return buildEdits(task, kernel, { folder, name, edits, ...more });
}

test("a structure on the stacks of replaced functions lies otherwise", async () => {
  const marks = await build("marks", MARKS);
  expect(marks.manifest.stackTypes).toMatchObject([{ owner: "vmlinux", type: "trie_stat", why: expect.stringContaining("marks") }]);
  const [known] = marks.manifest.stackTypes ?? [];
  expect(known?.functions).toContain("fib_triestat_seq_show");
  const replaced = marks.manifest.functions.map(({ name }) => name);
  for (const name of known?.functions ?? []) expect(replaced).toContain(name);
  expect(marks.manifest.notes).toContainEqual(expect.objectContaining({ text: expect.stringContaining("trie_stat has") }));
  await expect(build("plain", MARKS, { plain: true })).rejects.toMatchObject({ code: "BUILD_LAYOUT" });
  const guest = await bootWith(task, kernel, [marks]);
  try {
    const look = "grep -c Marks: /proc/net/fib_triestat; sort -u /proc/net/fib_triestat | grep -E 'Marks|Leaves' | tr -d '\\t'";
    const old = await said(guest, look);
    expect(old).toMatch(/^0\nLeaves:/);
    const leaves = old.slice(2);
    // Two read it all the time, while it goes in and out: each prints what it collected itself.
    const busy = `
      for i in 1 2; do (while [ ! -e /run/end ]; do cat /proc/net/fib_triestat; done | grep -cE 'Marks: +([^4]|4[^2])' >/run/wrong.$i) & done
      load livepatch-marks; unload livepatch_marks; touch /run/end; wait; cat /run/wrong.*`;
    expect(await said(guest, `load livepatch-marks; ${look}`)).toMatch(
      new RegExp(`^[1-9]\\n${leaves}Marks:42\\n$|^[1-9]\\n(Leaves:.*\\n)+Marks: 42\\n$`),
    );
    expect(await said(guest, `unload livepatch_marks; ${look}`)).toBe(old);
    expect(await said(guest, busy)).toBe("0\n0\n");
    expect(await said(guest, look)).toBe(old);
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
});

test.each(REFUSED)("refused: %s", async (_, edits, ground) => {
  await expect(build("refused", edits)).rejects.toMatchObject({ code: "BUILD_LAYOUT", message: expect.stringContaining(ground) });
});
