import { expect, test } from "vitest";
import type { NewMember } from "./members.ts";
import { rewriteUses } from "./uses.ts";

const member: NewMember = { file: "a.c", line: 1, type: "s", name: "m", declaration: "int m", start: 0, end: 0, id: 7 };

/** As gcc tells: the sign before the member. */
function rewritten(text: string): string {
  const uses = [...text.matchAll(/(?:->|\.)(?=\s*m\b)/g)].map(({ index }) => ({ member, line: 1, column: index + 1 }));
  return rewriteUses("a.c", text, uses).text;
}

test("what reads a member reads what lies beside the object", () => {
  expect(rewritten("if (p->m && !q->a[i].s->m) x = READ_ONCE(p->m);")).toBe(
    "if (suture_get_s_m(p) && !suture_get_s_m(q->a[i].s)) x = suture_get_s_m(p);",
  );
  expect(rewritten("return p->m->n + o.m[3] + f(a, b)->m;")).toBe(
    "return suture_get_s_m(p)->n + suture_get_s_m(&(o))[3] + suture_get_s_m(f(a, b));",
  );
  expect(rewritten("x = a & p->m;")).toBe("x = a & suture_get_s_m(p);");
});

test("what writes a member writes what lies beside the object", () => {
  expect(rewritten("p->m = q->m + 1;")).toBe("suture_set_s_m(p, (suture_get_s_m(q) + 1));");
  expect(rewritten("if (a) p->m++;")).toBe("if (a) suture_set_s_m(p, suture_get_s_m(p) + 1);");
  expect(rewritten("--(*p).m;")).toBe("suture_set_s_m(&((*p)), suture_get_s_m(&((*p))) - 1);");
  expect(rewritten("p->m |= f(a, b), g();")).toBe("suture_set_s_m(p, suture_get_s_m(p) | (f(a, b))), g();");
  expect(rewritten("WRITE_ONCE(p->m, q->m);")).toBe("suture_set_s_m(p, (suture_get_s_m(q)));");
  expect(rewritten("p->m->m = 1;")).toBe("suture_set_s_m(suture_get_s_m(p), (1));");
  expect(rewritten("for (p->m = 0; p->m < 3; p->m++) ;")).toBe(
    "for (suture_set_s_m(p, (0)); suture_get_s_m(p) < 3; suture_set_s_m(p, suture_get_s_m(p) + 1)) ;",
  );
});

test("what cannot be told for certain is refused", () => {
  for (const [text, why] of [
    ["f(&p->m);", /address/],
    ["x = p->m++;", /before/],
    ["f()->m += 1;", /twice/],
    ["struct s o = { .m = 1 };", /another way/],
    ["x = (struct s *)(p)->m;", /what object/],
    ["return &p->m;", /address/],
  ] as const)
    expect(() => rewritten(text)).toThrow(why);
});
