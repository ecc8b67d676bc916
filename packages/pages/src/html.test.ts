import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { html, pageOf, when } from "./html.ts";

const hash = (text: string): string => createHash("sha256").update(text).digest("base64");

test("values are text, unless they are HTML that was made in the same way", () => {
  const inner = html`<b>${"<i>"}</b>`;
  expect(html`<p title="${'a"b'}">${[inner, " & ", 7, undefined]}${when(false, () => "no")}</p>`.text).toBe(
    '<p title="a&quot;b"><b>&lt;i&gt;</b> &amp; 7</p>',
  );
  // What only looks like HTML that was made here is none.
  const forged = JSON.parse('{"text":"<script>"}') as string;
  expect(html`${forged}`.text).toBe("[object Object]");
});

test("what is not seen is shown by its number", () => {
  expect(html`${"a\u202eb\u200bc\u0000d\r\n\te\ud800f\u{e0041}"}`.text).toBe("a⟨U+202E⟩b⟨U+200B⟩c⟨U+0000⟩d⟨U+000D⟩\n\te⟨U+D800⟩f⟨U+E0041⟩");
});

test("no text leaves the place that it was put in", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("</script>", '"><img onerror=1>', "<!--", "]]>", "&lt;", "'")),
      (text) => {
        const made = html`<p title="${text}">${text}</p>`.text;
        const [, inAttribute = "", between = ""] = /^<p title="(.*?)">(.*)<\/p>$/s.exec(made) ?? [];
        for (const part of [inAttribute, between]) {
          expect(part).not.toMatch(/[<>"']/);
          expect(part).not.toMatch(/&(?!amp;|lt;|gt;|quot;|#39;)/);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("a page says what the browser may run and load: its own style and script, and nothing else", () => {
  const page = pageOf({ title: "</title><script>", style: "a{}", script: "1", body: html`${"<"}`, hash });
  expect(page).toContain(`default-src &#39;none&#39;; style-src &#39;sha256-${hash("a{}")}&#39;; script-src &#39;sha256-${hash("1")}&#39;`);
  expect(page.match(/<script>/g)).toHaveLength(1);
  expect(page).toContain("<title>&lt;/title&gt;&lt;script&gt;</title>");
});
