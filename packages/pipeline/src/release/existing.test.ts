import { expect, test } from "vitest";
import { hunksBetween } from "./difference.ts";
import { doubtOf, doubtOfBoth } from "./existing.ts";
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

test("what gives back what an object holds moves to another function, and not within one, or to one that it calls", () => {
  const before = F("power_off", "a();") + F("drop", "b();", "kvfree(p->zones);", "c();");
  const after = F("power_off", "a();", "kvfree(p->zones);") + F("drop", "b();", "c();");
  expect(doubt(before, after)).toContain("kvfree(p->zones) moves from drop to power_off");
  expect(doubt(before, after.replace("p->zones", "p->others"))).toBe("");
  expect(doubt(before, after.replace("c();", "power_off(p);"))).toBe("");
  expect(doubt(before, before.replace("\tkvfree(p->zones);\n\tc();", "\tc();\n\tkvfree(p->zones);"))).toBe("");
  const own = (text: string): string => text.replace("kvfree(p->zones)", "free_zones(p)");
  expect(doubt(own(before), own(after))).toContain("free_zones(p) moves from drop to power_off");
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

test("a reference that one function now takes and another gives back; a caller and what it calls are one", () => {
  const before = F("attach", "a();") + F("release", "b();") + F("run", "release(p);");
  const after = F("attach", "a();", "get_device(&p->dev);") + F("release", "b();", "put_device(&p->dev);") + F("run", "release(p);");
  expect(doubt(before, after)).toContain("release now has put_device(&p->dev), for the get_device(&p->dev) that attach has now");
  expect(doubt(before, after.replace("get_device(&p->dev);", "get_device(&p->dev);\n\trelease(p);"))).toBe("");
  expect(
    doubt(
      F("attach", "a();") + F("drop", "put_device(&p->dev);", "b();"),
      F("attach", "a();", "get_device(&p->dev);") + F("drop", "b();", "put_device(&p->dev);"),
    ),
  ).toBe("");
});

test("a reference for what is handed on to be called later, of which there was another already", () => {
  const drop = F("drop", "parent = find(p);", "put_device(parent);", "put_device(&p->dev);");
  const before = drop + F("add", "get_device(&p->dev);", "return later(p, drop);");
  const after =
    F("drop", "put_device(&p->dev);", "put_device(p->host);") +
    F("add", "get_device(p->host);", "get_device(&p->dev);", "return later(p, drop);");
  expect(doubt(before, after)).toContain("drop now has put_device(p->host), for the get_device(p->host) that add has now");
});

test("a count that begins otherwise", () => {
  const before = F("make", "refcount_set(&p->ref, 1);") + F("drop", "b();");
  const after = F("make", "refcount_set(&p->ref, 2);") + F("drop", "b();", "c();");
  expect(doubt(before, after)).toContain("p->ref begins with 2 in place of 1, and drop changes with it");
  expect(doubt(before, F("make", "refcount_set(&p->ref, 2);") + F("drop", "b();"))).toBe("");
});

test("a count that is counted down and gone by, neither of which it was before", () => {
  const before = F("add", "del(p);", "make(p);");
  const after = F("add", "del(p);", "atomic_dec(&p->entries);", "if (atomic_read(&p->entries) > p->max)", "  return 0;", "make(p);");
  expect(doubt(before, after)).toContain("entries is gone by, which add did not count down before");
  const drop = F("drop", "if (atomic_read(&p->entries) > 3)", "  atomic_dec(&p->entries);", "");
  expect(doubt(`${drop}${before}`, drop.replace("> 3", "> 4") + after)).toBe("");
});

test("a member that is left empty by who makes it, and another goes by", () => {
  const before = F("make", "p = dst_alloc(o);", "a();") + F("drop", "if (!list_empty(&p->l))", "  lock(p->list);");
  const after = F("make", "p = dst_alloc(o);", "p->list = NULL;", "a();") + F("drop", "if (p->list)", "  lock(p->list);");
  expect(doubt(before, after)).toContain("drop goes by list, which only make leaves empty");
  expect(doubt(before.replace("dst_alloc", "kzalloc"), after.replace("dst_alloc", "kzalloc"))).toBe("");
  expect(doubt(F("drop", "free(p->list);", "a();"), F("drop", "free(p->list);", "p->list = NULL;", "a();"))).toBe("");
});

test("a member that one function did not set and does, and another did not go by and does", () => {
  const before = F("drop", "remove(p);") + F("event", "make(p);", "a();") + F("setup", "p->sb = get();");
  const after = F("drop", "if (p->sb)", "  remove(p);") + F("event", "p->sb = now;", "make(p);", "a();") + F("setup", "p->sb = get();");
  expect(doubt(before, after)).toContain("drop goes by sb, which event did not set before");
  expect(doubt(before.replace("remove(p);", "if (p->sb) remove(p);"), after)).toBe("");
  expect(doubt(before.replace("make(p);", "p->sb = then;"), after)).toBe("");
});

test("a member that asked for nothing when it was empty, and is refused now", () => {
  const before = F("add", "if (p->limit && p->count >= p->limit)", "  retire(p);");
  const after = F("add", "if (!p->limit)", "  return -EINVAL;", "if (p->count >= p->limit)", "  retire(p);");
  expect(doubt(before, after)).toContain("add refuses what has no limit, which asked for nothing before");
  expect(doubt(F("add", "use(p->limit);"), F("add", "if (!p->limit)", "  return -EINVAL;", "use(p->limit);"))).toBe("");
});

test("a fix of a function's body meets nothing", () => {
  expect(doubt(F("run", "p->count = 1;", "use(p->count);"), F("run", "p->count = 2;", "if (p->count)", "  use(p->count);"))).toBe("");
});

test("a count that becomes a set of bits", () => {
  const before = F("send", "p->outstanding = out + in;") + F("reply", "p->outstanding--;");
  const after = F("send", "p->outstanding |= BIT(1);") + F("reply", "p->outstanding &= ~BIT(1);");
  expect(doubt(before, after)).toContain("outstanding becomes a set of bits, and was a count");
  expect(doubt(before, before.replace("out + in", "out + in + 1"))).toBe("");
  expect(doubt(F("send", "p->flags = 0;"), F("send", "p->flags |= BIT(1);"))).toBe("");
});

test("what is counted up and down by a condition that is new", () => {
  const before = F("publish", "a();", "p->net->count++;") + F("withdraw", "b();", "p->net->count--;");
  const after = F("publish", "a();", "if (p->own)", "\tp->net->count++;") + F("withdraw", "b();", "if (p->own)", "\tp->net->count--;");
  expect(doubt(before, after)).toContain("count is counted, up and down, by a condition that is new");
  expect(doubt(before, before.replace("a();", "if (x)\n\t\ta();"))).toBe("");
  expect(doubt(F("publish", "p->count++;"), F("publish", "if (p->own)", "\tp->count++;"))).toBe("");
});

test("a member that was a pointer, and is read as a number", () => {
  const before = F("mode", "const struct id *id = host->private_data;", "use(id->driver_data);");
  const after = F("mode", "unsigned long flags = (unsigned long)host->private_data;", "use(flags);");
  expect(doubt(before, after)).toContain("private_data is read as a number where it was a pointer");
  expect(doubt(after, before)).toContain("private_data is read as a number where it was a pointer");
  expect(doubt(before, before.replace("driver_data", "other"))).toBe("");
});

test("a reference that one of two units begins to take, by its count, and the other to give back", () => {
  const hunks = (before: string, after: string) => namedHunks({ path: "net/x.c", before, after }, hunksBetween(before, after), 0);
  const out = F("sched_out", "pending = 1;", "work(event);");
  const pending = F("pending_task", "a();", "send(event);");
  const takes = hunks(out, out.replace("work(event)", "atomic_long_inc_not_zero(&event->refcount);\n\twork(event)"));
  const gives = hunks(pending, pending.replace("send(event);", "send(event);\n\tput_event(event);"));
  expect(doubtOf(takes)).toBeUndefined();
  expect(doubtOf(gives)).toBeUndefined();
  expect(doubtOfBoth(takes, gives)?.message).toContain("pending_task now has put_event(event)");
  expect(doubtOfBoth(takes, hunks(pending, pending.replace("send(event);", "send(event);\n\tput_other(event);")))).toBeUndefined();
});

test("what is freed by what is called later moves there", () => {
  const later = F("free_rcu", "free_it(p);");
  const end = F("end", "kfree(p->ranges);", "a();", "call_rcu(&p->rcu, free_rcu);");
  const moved = F("free_rcu", "kfree(p->ranges);", "free_it(p);") + F("end", "a();", "call_rcu(&p->rcu, free_rcu);");
  expect(doubt(later + end, moved)).toContain("kfree(p->ranges) moves from end to free_rcu");
});

test("who waits is woken no more", () => {
  const before = F("work", "a();", "rcuwait_wake_up(&event->work_wait);");
  expect(doubt(before, F("work", "b();"))).toContain("rcuwait_wake_up(&event->work_wait) goes");
  expect(doubt(before, F("work", "b();", "wake_up_all(&event->work_wait);"))).toBe("");
  expect(doubt(before, F("work", "a();") + F("other", "rcuwait_wake_up(&event->work_wait);"))).toBe("");
});

test("an object is reckoned from another member", () => {
  const timer = (member: string): string => F("fired", `struct sock *sk = from_timer(sk, t, ${member});`, "a();");
  expect(doubt(timer("sk_timer"), timer("icsk_keepalive_timer"))).toContain("from its icsk_keepalive_timer, and was from its sk_timer");
  const of = (member: string): string => F("fired", `x = container_of(t, struct sock, ${member});`, "a();");
  expect(doubt(of("one"), of("two"))).toContain("from its two");
  expect(doubt(of("one"), of("one").replace("a()", "b()"))).toBe("");
});

test("features of processors are settled when they come up", () => {
  expect(doubt(F("init_zen", "a();"), F("init_zen", "a();", "clear_cpu_cap(c, X86_FEATURE_V);"))).toContain("features of the processors");
});
