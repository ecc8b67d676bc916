import { expect, test } from "vitest";
import { Choice } from "./choice.ts";
import { hunksBetween } from "./difference.ts";
import { halvesOf, type Part } from "./halves.ts";
import { namedHunks } from "./pieces.ts";
import type { Plan, Unit } from "./units.ts";

const F = (name: string, ...body: string[]): string => `int ${name}(int a)\n{\n${body.map((line) => `\t${line}\n`).join("")}}\n\n`;

/** A unit that changes one file. */
function unit(index: number, path: string, before: string, after: string): Unit & Part {
  const hunks = namedHunks({ path, before, after }, hunksBetween(before, after), 0);
  return { index, id: `u${index}`, title: path, files: [], hunks, diff: "", needs: new Set(), idle: false, namesCve: false };
}

/** Pairs that may be halves, with what both have to do with. @param counts of names that more than two files have */
function pairs(units: readonly Part[], counts: Readonly<Record<string, number>> = {}): string[] {
  const halves = halvesOf(units, (name) => counts[name] ?? 2);
  return [...halves].flatMap(([one, others]) =>
    [...others].filter(([other]) => one < other).map(([other, { name }]) => `${one} ${other} ${name}`),
  );
}

const takes = unit(0, "net/x/in.c", F("taken", "hold(p->users);"), F("taken", "if (p)", "  hold(p->users);"));
const gives = unit(1, "net/x/out.c", F("given", "x();", "refcount_dec(&q->users);"), F("given", "y();", "refcount_dec(&q->users);"));

test("lines of one with a member that few files have, and a function of the other that counts by it", () => {
  expect(pairs([takes, gives])).toEqual(["0 1 users"]);
  const reads = unit(1, "net/x/out.c", F("given", "x();", "q->users = 0;"), F("given", "y();", "q->users = 0;"));
  expect(pairs([takes, reads])).toEqual([]);
});

test("lines of one that stand beside a member which few files have, in one file with lines of the other that have it", () => {
  const beside = unit(
    0,
    "net/x/svc.c",
    F("generic", "x();", "return v->optional ? 0 : error;"),
    F("generic", "x();", "if (error == -EIO)", "  return error;", "return v->optional ? 0 : error;"),
  );
  const lines = (path: string) =>
    unit(1, path, F("all", "if (error < 0)", "  break;"), F("all", "if (error < 0 && !v->optional)", "  break;"));
  expect(pairs([beside, lines("net/x/svc.c")])).toEqual(["0 1 optional"]);
  expect(pairs([beside, lines("net/x/other.c")])).toEqual([]);
  expect(pairs([beside, lines("net/x/svc.c")], { optional: 16 })).toEqual([]);
});

test("lines of both with a member that few files have", () => {
  const sets = unit(1, "net/x/out.c", F("given", "q->users = 0;"), F("given", "q->users = 1;"));
  expect(pairs([takes, sets])).toEqual(["0 1 users"]);
});

test("a constant that goes in one and comes in the other", () => {
  const goes = unit(0, "net/x/in.c", F("taken", "set(SOME_BIT, p);"), F("taken", "look(p);"));
  const comes = unit(1, "net/x/out.c", F("given", "r();"), F("given", "put(SOME_BIT);"));
  const stays = unit(2, "net/x/end.c", F("end", "one(SOME_BIT);"), F("end", "two(SOME_BIT);"));
  expect(pairs([goes, comes, stays])).toEqual(["0 1 SOME_BIT"]);
});

test("a name that many files have says nothing, in one folder less than in one file", () => {
  expect(pairs([takes, gives], { users: 9 })).toEqual([]);
  const inOne = [takes, unit(1, "net/x/in.c", F("given", "q->users = 0;"), F("given", "q->users = 1;"))];
  expect(pairs(inOne, { users: 9 })).toEqual(["0 1 users"]);
  expect(pairs(inOne, { users: 99 })).toEqual([]);
});

test("what is used around both changes only, and in folders that are far from each other, says nothing", () => {
  const far = unit(1, "net/y/out.c", F("given", "q->users = 0;"), F("given", "q->users = 1;"));
  expect(pairs([takes, far])).toEqual([]);
  const around = unit(0, "net/x/in.c", F("taken", "a();", "kref_get(&p->users);"), F("taken", "b();", "kref_get(&p->users);"));
  expect(pairs([around, gives])).toEqual([]);
});

test("a function, and who calls it by a member of operations whose name its name ends with", () => {
  const finish = unit(0, "net/four/in.c", F("four_in_finish", "c();"), F("four_in_finish", "d();"));
  const caller = unit(1, "net/core/in.c", F("resume", "ops->in_finish(1);", "x();"), F("resume", "ops->in_finish(1);", "y();"));
  const reader = unit(2, "net/core/log.c", F("log", "say(ops->in_finish);", "v();"), F("log", "say(ops->in_finish);", "w();"));
  expect(pairs([finish, caller, reader])).toEqual(["0 1 in_finish, as four_in_finish"]);
});

test("a static function is called by the members that its file puts it into, and by no others", () => {
  const ops = "static struct ops o = {\n\t.in_finish = done,\n};\n\n";
  const slot = unit(0, "net/four/in.c", `static ${F("done", "a();")}${ops}`, `static ${F("done", "b();")}${ops}`);
  const like = unit(2, "net/four/x.c", `static ${F("four_in_finish", "c();")}`, `static ${F("four_in_finish", "d();")}`);
  const caller = unit(1, "net/core/in.c", F("resume", "ops->in_finish(1);", "x();"), F("resume", "ops->in_finish(1);", "y();"));
  expect(pairs([slot, caller, like])).toEqual(["0 1 in_finish, as done"]);
});

test("a static function that a changed one hands on is of what it does", () => {
  const file = (one: string, other: string): string =>
    `static ${F("matches", `look(${other});`)}static ${F("walk", "each(matches);")}${F("cancel", "walk(a);", `n(${one});`)}`;
  const before = file("1", "1");
  const hunks = [unit(0, "io/c.c", before, file("2", "1")), unit(1, "io/c.c", before, file("1", "2"))];
  expect(pairs(hunks)).toContain("0 1 matches");
});

test("a function that is set up to be called later, and who begins it", () => {
  const file = (one: string, other: string): string =>
    `static ${F("later", `${other};`)}${F("begin", `task_work_add(t, &e->pending);`, `${one};`)}${F("make", "init_task_work(&e->pending, later);")}`;
  const both = [unit(0, "k/c.c", file("a()", "x()"), file("b()", "x()")), unit(1, "k/c.c", file("a()", "x()"), file("a()", "y()"))];
  expect(pairs(both)).toContain("0 1 pending, as later");
});

test("locks by the same, however many files have a lock of that name", () => {
  const lock = (of: string): string => F("walk", `down_write(&${of}->rwsem);`, "a();");
  const plain = F("walk", "a();");
  const [here, there] = [unit(0, "fs/nfs/a.c", plain, lock("nfsi")), unit(1, "fs/nfs/b.c", plain, lock("nfsi"))];
  const many = { rwsem: 99, down_write: 99, walk: 99 };
  expect(pairs([here, there], many)).toEqual(["0 1 nfsi->rwsem"]);
  expect(pairs([here, unit(1, "fs/nfs/b.c", plain, lock("clp"))], many)).toEqual([]);
  expect(pairs([here, unit(1, "fs/nfs/b.c", lock("nfsi"), lock("nfsi").replace("a()", "b()"))], many)).toEqual([]);
});

test("a state that is saved and restored no more, and who of its folder begins to", () => {
  const saves = F("store", "noio = memalloc_noio_save();", "work();");
  const suspend = F("suspend", "wait();", "m->noio = memalloc_noio_save();");
  const ceases = unit(0, "drivers/md/md.c", suspend, F("suspend", "wait();"));
  const begins = (path: string) => unit(1, path, F("store", "work();"), saves);
  const many = { memalloc_noio_save: 99, noio: 99 };
  expect(pairs([ceases, begins("drivers/md/raid.c")], many)).toEqual(["0 1 memalloc_noio"]);
  expect(pairs([ceases, begins("net/x/raid.c")], many)).toEqual([]);
});

test("a check that only goes, and whatever else changes in its file", () => {
  const other = F("fault", "x();");
  const file = (check: string, text: string): string => `${F("map", ...(check === "" ? [] : [check, "  return -EAGAIN;"]), "a();")}${text}`;
  const goes = unit(0, "mm/s.c", file("if (may(p))", other), file("", other));
  const comes = unit(1, "mm/s.c", file("", other), file("", other.replace("x", "y")));
  expect(pairs([goes, comes])).toEqual(["0 1 a check in mm/s.c that goes"]);
  const moves = unit(0, "mm/s.c", file("if (may(p))", other), file("if (can(p))", other));
  expect(pairs([moves, comes])).toEqual([]);
});

test("where one is left out its halves are, theirs too, and what needs those; but not what somebody has read", () => {
  const third = unit(2, "net/x/last.c", F("last", "q->other = 0;"), F("last", "q->other = 1;"));
  const second = unit(1, "net/x/out.c", F("given", "q->users = q->other;"), F("given", "q->users = -q->other;"));
  const fourth = { ...unit(3, "fs/a.c", F("f", "a();"), F("f", "b();")), needs: new Set([2]) };
  const units = [takes, second, third, fourth, unit(4, "fs/b.c", F("g", "c();"), F("g", "d();"))];
  const plan = { units, halves: halvesOf(units, () => 2) } as unknown as Plan;
  const asked = { only: "all", leaveOut: ["u0"], take: [], acceptDoubt: [] } as const;
  const choice = new Choice(plan, asked);
  expect([...choice.in]).toEqual([4]);
  expect([...choice.left].map(([index, { reasons }]) => `${index} ${reasons[0]?.code}`)).toEqual([
    "0 CATCHUP_ASKED",
    "1 CATCHUP_HALF",
    "2 CATCHUP_HALF",
    "3 CATCHUP_NEEDS",
  ]);
  expect(choice.left.get(1)?.reasons[0]?.why).toContain("users");
  expect([...new Choice(plan, { ...asked, acceptDoubt: ["u1"] }).in]).toEqual([1, 2, 3, 4]);
  // What is tied by a member that is called, goes with what is refused, and takes nothing with it that is tied so.
  const calls = (other: string): string => F("resume", "ops->in_finish(1);", "ops->out_start(2);", other);
  const chained = [
    unit(0, "net/x/in.c", F("x_in_finish", "c();"), F("x_in_finish", "d();")),
    unit(1, "net/core/in.c", calls("x();"), calls("y();")),
    unit(2, "net/y/out.c", F("y_out_start", "e();"), F("y_out_start", "f();")),
  ];
  const tied = { units: chained, halves: halvesOf(chained, () => 2) } as unknown as Plan;
  expect([...new Choice(tied, asked).in]).toEqual([2]);
  expect([...new Choice(tied, { ...asked, leaveOut: ["u1"] }).in]).toEqual([]);
  // Who takes some has chosen them.
  expect([...new Choice(plan, { ...asked, leaveOut: [], take: ["u1"] }).in]).toEqual([1]);
});

test("whose memory is counted by whom says nothing", () => {
  const alloc = (flags: string): string => F("make", `p->rare = kzalloc(size, ${flags});`);
  const other = unit(1, "net/x/out.c", F("given", "q->rare = 0;"), F("given", "q->rare = 1;"));
  expect(pairs([unit(0, "net/x/in.c", alloc("GFP_KERNEL"), alloc("GFP_KERNEL_ACCOUNT")), other])).toEqual([]);
  expect(pairs([unit(0, "net/x/in.c", alloc("GFP_KERNEL"), alloc("GFP_ATOMIC")), other])).toEqual(["0 1 rare"]);
});

test("what says whether a lock is taken, and what of its folder has to do with that lock", () => {
  const locks = "int run(int a)\n{\n\tbool needs = decides(a);\n\n\tif (needs)\n\t\trtnl_lock();\n}\n";
  const decide = (label: string): string =>
    `static bool decides(int a)\n{\n\tswitch (a) {\n${label}\tcase 2:\n\t\treturn true;\n\t}\n}\n\n${locks}`;
  const decides = unit(0, "net/ipv6/sockglue.c", decide("\tcase 1:\n"), decide(""));
  const asserts = (path: string) => unit(1, path, F("join", "ASSERT_RTNL();", "x();"), F("join", "x();"));
  expect(pairs([decides, asserts("net/ipv6/mcast.c")])).toEqual(["0 1 whether rtnl is locked"]);
  expect(pairs([decides, asserts("drivers/net/a.c")])).toEqual([]);
  const other = unit(1, "net/ipv6/mcast.c", F("join", "a();", "x();"), F("join", "x();"));
  expect(pairs([decides, other])).toEqual([]);
});

test("a member that is read as a number and was a pointer, and whatever else changes in its file", () => {
  const reads = unit(
    0,
    "drivers/ata/g.c",
    F("mode", "const struct id *id = host->private_data;", "use(id->flags);"),
    F("mode", "unsigned long flags = (unsigned long)host->private_data;", "use(flags);"),
  );
  const makes = (path: string) => unit(1, path, F("make", "init(dev, id);"), F("make", "init(dev, (void *)id->data);"));
  expect(pairs([reads, makes("drivers/ata/g.c")])).toContain("0 1 a member that is read otherwise in drivers/ata/g.c");
  expect(pairs([reads, makes("drivers/ata/h.c")])).toEqual([]);
});

test("what answers each other, however many files have its names", () => {
  const many = new Proxy<Record<string, number>>({}, { get: () => 99 });
  const asked = (a: [string, string, string], b: [string, string, string]): string[] =>
    pairs(
      [a, b].map(([path, before, after], n) => unit(n, path, F(`in_${n}`, "x();", before), F(`in_${n}`, "x();", after))),
      many,
    );
  const gives: [string, string, string] = ["net/b/conn.c", "return NULL;", "return ERR_PTR(-ENOMEM);"];
  const looks = (path: string): [string, string, string] => [path, "if (!c)", "if (IS_ERR(c))"];
  expect(asked(gives, looks("net/b/event.c"))).toEqual(["0 1 errors that become pointers"]);
  expect(asked(looks("net/b/event.c"), gives)).toEqual(["0 1 errors that become pointers"]);
  expect(asked(gives, looks("net/c/event.c"))).toEqual([]);
  expect(asked(gives, ["net/b/event.c", "if (IS_ERR(c))", "if (!c)"])).toEqual([]);

  const dup: [string, string, string] = ["drivers/net/w/main.c", "p = kmemdup(a);", "p = devm_kmemdup(d, a);"];
  expect(asked(dup, ["drivers/net/w/main.c", "kfree(p);", ""])).toEqual(["0 1 memory that goes with its device"]);
  expect(asked(dup, ["drivers/net/w/other.c", "kfree(p);", ""])).toEqual([]);

  const waits: [string, string, string] = ["kernel/bpf/ops.c", "call_rcu(&m->rcu, put);", "put(m);"];
  expect(asked(waits, ["kernel/bpf/ops.c", "a();", "synchronize_rcu_mult(call_rcu, call_rcu_tasks);"])).toEqual([
    "0 1 waiting for readers",
  ]);
  expect(asked(waits, ["kernel/bpf/ops.c", "a();", "b();"])).toEqual([]);

  const set = (path: string, value: string): [string, string, string] => [path, "a();", `d->no_access = ${value};`];
  expect(asked(set("drivers/gpu/drm/amd/dev.c", "false"), set("drivers/gpu/drm/amd/pm/smu.c", "true"))).toEqual([
    "0 1 no_access, true and false",
  ]);
  expect(asked(set("drivers/gpu/drm/amd/dev.c", "true"), set("drivers/gpu/drm/amd/pm/smu.c", "true"))).toEqual([]);
  expect(asked(set("drivers/gpu/drm/amd/dev.c", "false"), set("drivers/net/smu.c", "true"))).toEqual([]);

  const bind: [string, string, string] = ["drivers/usb/g/f_fs.c", "opts->bound = true;", ""];
  expect(asked(bind, ["drivers/usb/g/f_ecm.c", "if (opts->bound)", "if (is_there(opts))"])).toEqual(["0 1 bound, set and read no more"]);
  expect(asked(bind, ["drivers/usb/h/f_ecm.c", "if (opts->bound)", "if (is_there(opts))"])).toEqual([]);
});
