/** Functions that kernel threads are begun with. */
import { afterAll, expect, test } from "vitest";
import { Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const SOURCE = `
extern void *kthread_create_on_node(int (*)(void *), void *, int, const char *, ...);
extern int stop(void), work(int), later(int (*)(void *));
static int loop(void *data) { while (!stop()) work(1); return 0; }
static int other(void *data) { return work(2); }
static int called(void *data) { return work(3); }
void *begin(void *data) { return kthread_create_on_node(loop, data, -1, "loop/%d", later(other) + called(data)); }
`;

const threads = (from: string, to: string) => shop.diff(SOURCE, SOURCE.replace(from, to)).threads;

test("a function that is given to what begins a thread, and no other of who gives it", () => {
  expect(threads("work(1)", "work(11)")).toEqual([{ function: "loop", by: "begin", call: "kthread_create_on_node" }]);
  expect(threads("work(2)", "work(12)")).toEqual([]);
  expect(threads("work(3)", "work(13)")).toEqual([]);
  expect(threads('"loop/%d"', '"round/%d"')).toEqual([]);
});

test("in doubt of which call takes it, any that begins a thread may", () => {
  const either = SOURCE.replace("kthread_create_on_node(loop,", "kthread_create_on_node(data ? loop : other,");
  expect(shop.diff(either, either.replace("work(2)", "work(12)")).threads.map((one) => one.function)).toEqual(["other"]);
});
