import { expect, test } from "vitest";
import { countsSetTo, givesBack, takes } from "./counts.ts";

test("what takes has the same name as what gives back", () => {
  const pairs = [
    ["get_device(&port->dev);", "put_device(&port->dev);"],
    ["dev_hold(dev);", "dev_put(dev);"],
    ["if (!try_module_get(owner)) return;", "module_put(owner);"],
    ["kref_get(&p->ref);", "kref_put(&p->ref, free);"],
    ["if (refcount_inc_not_zero(&p->users)) x();", "if (refcount_dec_and_test(&q->users)) y();"],
    ["p->count++;", "--q->count;"],
    ["atomic_inc(&p->n);", "p->n--;"],
  ] as const;
  for (const [take, give] of pairs) {
    const [taken, given] = [takes(take), givesBack(give)];
    expect(taken.length).toBe(1);
    expect(given.map(({ what }) => what)).toEqual([taken[0]?.what]);
    expect([...givesBack(take), ...takes(give)]).toEqual([]);
  }
});

test("counts of two members are two; with what each is given", () => {
  expect(takes("atomic_inc(&p->a); p->b++;")).toEqual([
    { what: "count a", text: "atomic_inc(&p->a)" },
    { what: "count b", text: "->b++" },
  ]);
  expect(takes("x = p->b + 1; lock(p);")).toEqual([]);
  expect(givesBack("put_device(&endpoint->dev); put_device(host);").map(({ text }) => text)).toEqual([
    "put_device(&endpoint->dev)",
    "put_device(host)",
  ]);
});

test("what a count begins with", () => {
  expect([...countsSetTo("refcount_set(&p->ref, 2); atomic_set(&p->n, 0);")]).toEqual([
    ["p->ref", "2"],
    ["p->n", "0"],
  ]);
});
