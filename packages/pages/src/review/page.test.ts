import { expect, test } from "vitest";
import { manifestOf, moduleWith } from "../../test/livepatch.ts";
import { reviewPage } from "./page.ts";

const EVIL = `</pre></script><script>alert(1)</script><img src="http://example.org/x" onerror='1'>\u202e`;

/** Everything that a manifest says, said by somebody who means ill. */
const HOSTILE = manifestOf({
  kernel: { release: EVIL, buildId: EVIL },
  proof: { proven: false, functions: 0, reason: EVIL },
  functions: [{ object: EVIL, owner: EVIL, name: EVIL, sympos: 0, sizeBefore: 1, size: 1, why: EVIL }],
  added: [{ object: EVIL, name: EVIL, kind: "variable", size: 1 }],
  skipped: [{ object: EVIL, name: EVIL, why: EVIL }],
  notTaken: [{ object: EVIL, name: EVIL, code: EVIL, why: EVIL }],
  notes: [{ object: EVIL, text: EVIL }],
  handed: [{ object: EVIL, function: EVIL, kind: "string", name: EVIL }],
  shadows: [{ id: 1, name: EVIL, size: 8 }],
  stackTypes: [{ object: EVIL, owner: EVIL, type: EVIL, why: EVIL, functions: [EVIL] }],
  holes: [{ type: EVIL, name: EVIL, file: EVIL, declaration: EVIL, state: 1, begins: [{ file: EVIL, line: 1 }] }],
  successors: [{ object: EVIL, owner: EVIL, function: EVIL, becomes: EVIL, variable: EVIL, at: 8 }],
  live: [
    {
      object: EVIL,
      owner: EVIL,
      variable: EVIL,
      at: 8,
      size: 8,
      was: EVIL,
      becomes: EVIL,
      fills: true,
      holds: true,
      readOnly: true,
      state: 1,
    },
  ],
  redirects: [{ object: EVIL, owner: EVIL, function: EVIL, why: EVIL, sizeBefore: 1, size: 2, state: 1 }],
  compiler: EVIL,
  inputs: [{ kind: "patch", name: EVIL, version: EVIL, sha256: EVIL }],
  fixes: [{ subject: EVIL, cves: [EVIL] }],
  made: {
    patches: [{ name: "x.patch", text: `--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@ ${EVIL}\n+${EVIL}\n-${EVIL}\n` }],
    sources: [{ name: "x.c", text: EVIL, beside: [{ name: "x.h", text: EVIL }] }],
    rebuild: [EVIL],
    acceptLayouts: [EVIL],
    acceptInits: [EVIL],
    acceptData: [EVIL],
    redirects: [EVIL],
  },
});

test("nothing that a module says becomes HTML, and nothing is loaded from elsewhere", () => {
  const { page } = reviewPage({ bytes: moduleWith(HOSTILE, EVIL), file: EVIL, originals: new Map([[EVIL, Buffer.from("no object")]]) });
  const tags = page.match(/<[^>]*>/g) ?? [];
  expect(tags.filter((tag) => /^<\/?(?:script|img|link|iframe|object|form)|\s(?:on\w+|src|style)=/i.test(tag))).toEqual([]);
  expect(page.includes("\u202e")).toBe(false);
  expect([...page.matchAll(/href="([^"]*)"/g)].filter(([, to = ""]) => !to.startsWith("#"))).toEqual([]);
  expect(page.split("alert(1)").length).toBeGreaterThan(20);
  expect(page).toContain("⟨U+202E⟩");
});

test("what keeps a module from being loaded, and what somebody accepted, stands on top", () => {
  const { page } = reviewPage({
    bytes: moduleWith(
      manifestOf({
        proof: { proven: false, functions: 0, reason: "not tried" },
        made: {
          patches: [],
          sources: [],
          rebuild: [],
          acceptLayouts: ["task_struct"],
          acceptInits: ["setup_it"],
          acceptData: ["limit_of"],
          redirects: ["probed_one"],
        },
      }),
    ),
    file: "x.ko",
    originals: new Map(),
  });
  const top = page.slice(0, page.indexOf("<h2"));
  for (const said of [
    "It is not proven: not tried",
    "task_struct",
    "setup_it",
    "limit_of",
    "probed_one",
    "it is not what its manifest was written for",
  ])
    expect(top).toContain(said);
});

test("a livepatch of others is shown as far as its file goes, and that nothing is known of it", () => {
  const { page, functions, missing } = reviewPage({
    bytes: moduleWith(undefined, "their_function", Uint8Array.of(0x31, 0xc0, 0xc3)),
    file: "x.ko",
    originals: new Map(),
  });
  expect(page).toContain("It was not made by Suture");
  expect(page).toContain("their_function");
  expect(page).toContain("<td>xor %eax,%eax</td>");
  expect([functions, missing]).toEqual([0, []]);
});

test("code that is none is told, not guessed", () => {
  const { page } = reviewPage({ bytes: moduleWith(undefined, "odd", Uint8Array.of(0x06, 0x06)), file: "x.ko", originals: new Map() });
  expect(page).toContain("<code>odd</code>, 2 bytes");
  expect(page).not.toContain('<table class="code">');
});

test.each([Buffer.alloc(0), Buffer.from("\x7fELF"), Buffer.alloc(4096, 0xff)])("what is no module is refused", (bytes) => {
  expect(() => reviewPage({ bytes, file: "x.ko", originals: new Map() })).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^(ELF|KLP|KERNEL)_/) }),
  );
});

test("damage anywhere in the file is a refusal with a code, or a page", () => {
  const bytes = moduleWith(manifestOf({}), "f", Uint8Array.of(0xe8, 0, 0, 0, 0, 0xc3));
  for (let at = 0; at < bytes.length; at += 3) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    try {
      expect(reviewPage({ bytes: damaged, file: "x.ko", originals: new Map() }).page).toContain("</html>");
    } catch (error) {
      expect(error, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/^(ELF|KLP|KERNEL|ARCH)_/) });
    }
  }
});
