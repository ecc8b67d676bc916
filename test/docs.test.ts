/** The pages of docs/ say what the sources say. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { errorsPage, housesOf, kindsOf } from "../scripts/errors-page.ts";
import { jsonPage } from "../scripts/json-page.ts";

const root = join(import.meta.dirname, "..");
const houses = housesOf(root);

test("docs/errors.md is what `npm run docs:errors` writes", async () => {
  expect(readFileSync(join(root, "docs/errors.md"), "utf8")).toBe(await errorsPage(root));
});

test("docs/json.md is what `npm run docs:json` writes", () => {
  expect(readFileSync(join(root, "docs/json.md"), "utf8")).toBe(jsonPage());
});

test("a code belongs to one package", async () => {
  const all = await Promise.all([...houses.values()].map((folder) => kindsOf(join(folder, "src/errors.ts"))));
  const codes = all.flat().map(([code]) => code);
  expect(codes).toEqual([...new Set(codes)]);
  for (const code of codes) expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
});

/** As they are written in links: `## New fields` is #new-fields. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("the pages and sections that errors and pages name are there", async () => {
  const said = await Promise.all([...houses.values()].map((folder) => kindsOf(join(folder, "src/errors.ts"))));
  const named = said
    .flat()
    .flatMap(([code, { mend }]) => [...mend.matchAll(/docs\/([\w-]+\.md)(?:#([\w-]+))?/g)].map((m) => [code, m] as const));
  const linked = readdirSync(join(root, "docs")).flatMap((file) =>
    file.endsWith(".md")
      ? [...readFileSync(join(root, "docs", file), "utf8").matchAll(/\]\(([\w-]+\.md)(?:#([\w-]+))?\)/g)].map((m) => [file, m] as const)
      : [],
  );
  expect(named.length).toBeGreaterThan(5);
  for (const [by, [, page = "", anchor]] of [...named, ...linked]) {
    expect(existsSync(join(root, "docs", page)), `${by} names docs/${page}`).toBe(true);
    if (anchor !== undefined)
      expect(anchorsOf(readFileSync(join(root, "docs", page), "utf8")), `${by} names docs/${page}#${anchor}`).toContain(anchor);
  }
});

/** Rows of the table in docs/architecture.md whose first cell is a package: its name and what it imports. */
function documented(): Map<string, string[]> {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  return new Map(
    [...page.matchAll(/^\| `(\w+)` \|[^|]*\| ([^|]*) \|$/gm)].map(([, name = "", imports = ""]) => [
      name,
      imports === "–" ? [] : imports.split(", ").sort(),
    ]),
  );
}

test("docs/architecture.md lists every package with what its package.json lets it import", () => {
  const declared = new Map(
    [...houses].map(([name, folder]) => {
      const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        dependencies?: Record<string, string>;
      };
      return [
        name,
        Object.keys(dependencies)
          .flatMap((d) => (d.startsWith("@suture/") ? [d.slice("@suture/".length)] : []))
          .sort(),
      ];
    }),
  );
  expect(Object.fromEntries(documented())).toEqual(Object.fromEntries(declared));
});

test("a package imports other packages by name, and only those that it declares", () => {
  const wrong: string[] = [];
  for (const [name, allowed] of documented()) {
    const folder = join(houses.get(name) ?? "", "src");
    if (!existsSync(folder)) continue;
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      // Tests may look over the fence: they use real kernels, which packages/sources finds.
      if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
      for (const [, from = ""] of readFileSync(join(folder, file), "utf8").matchAll(
        /(?:from |import\()"(@suture\/[^"]+|(?:\.\.?\/)+[^"]+)"/g,
      )) {
        const other = /^@suture\/([^/]+)/.exec(from)?.[1];
        if (other === undefined ? /^(?:\.\.\/)+(?:packages|src)\//.test(from) : !allowed.includes(other))
          wrong.push(`${name}/${file}: ${from}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test("only tests, bench and qualification use the testkit, by its name; a package's own test helpers are used by its own tests", () => {
  const wrong: string[] = [];
  for (const folder of ["packages", "apps", "scripts", "qualification", "bench", "test"])
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts") || file.includes("node_modules")) continue;
      const [name = "", part = ""] = file.split("/");
      const mayUse =
        folder !== "scripts" &&
        (!["packages", "apps"].includes(folder) || name === "testkit" || part === "test" || file.endsWith(".test.ts"));
      for (const [, from = ""] of readFileSync(join(root, folder, file), "utf8").matchAll(/(?:from |import\()"([^"]+)"/g)) {
        const to = from.startsWith(".") ? relative(root, join(root, folder, file, "..", from)) : from;
        const [, owner] = /^packages\/(\w+)\/test\//.exec(to) ?? [];
        if (owner !== undefined && !(folder === "packages" && name === owner)) wrong.push(`${folder}/${file}: ${from}`);
        if (/^packages\/testkit\//.test(to) && !(folder === "packages" && name === "testkit")) wrong.push(`${folder}/${file}: ${from}`);
        if (to.startsWith("@suture/testkit") && !mayUse) wrong.push(`${folder}/${file}: ${from}`);
      }
    }
  expect(wrong).toEqual([]);
  for (const [name, folder] of houses) {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      dependencies?: object;
    };
    expect(Object.keys(dependencies), name).not.toContain("@suture/testkit");
  }
});
