/** What is found of a structure's objects in small sources, by gcc. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SutureError } from "@suture/errors";
import { type ObjectCommand, SourceView } from "@suture/kbuild";
import { Task } from "@suture/task";
import { afterAll, expect, test } from "vitest";
import { readOnly } from "./members.ts";
import { hidden, Objects } from "./objects.ts";
import { probe } from "./probe.ts";
import { BESIDE, WITHIN } from "./rules.ts";

const folder = mkdtempSync(join(tmpdir(), "suture-objects-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const task = new Task();
const view = SourceView.of(folder);

const command: ObjectCommand = {
  object: "a.o",
  source: "a.c",
  owner: "vmlinux",
  compile: "gcc -Wp,-MMD,a.d -c -o a.o a.c",
  depfile: "a.d",
  objtool: undefined,
  buildPath: undefined,
  writesBtf: false,
};

const HEAD = `typedef unsigned long size_t; typedef unsigned int gfp_t;
#define NULL ((void *)0)
#define container_of(ptr, type, member) ({ void *__mptr = (void *)(ptr); ((type *)(__mptr - __builtin_offsetof(type, member))); })
#define kfree_rcu(p, m) do { __typeof__(p) q = (p); later(&q->m); } while (0)
struct kmem_cache;
void *kzalloc(size_t, gfp_t); void *kmalloc(size_t, gfp_t); void *devm_kzalloc(void *, size_t, gfp_t); void *kmemdup(const void *, size_t, gfp_t);
int memcmp(const void *, const void *, size_t);
#define __GFP_ZERO 256u
void *kmem_cache_alloc(struct kmem_cache *, gfp_t); void *kmem_cache_zalloc(struct kmem_cache *, gfp_t); void kmem_cache_free(struct kmem_cache *, void *);
struct kmem_cache *kmem_cache_create(const char *, size_t, size_t, unsigned long, void (*)(void *));
void *memset(void *, int, size_t); void *memcpy(void *, const void *, size_t); void *netdev_priv(void *); void *idr_find(void *, int);
void kfree(const void *); void later(void *);
struct file { void *private_data; char cb[48]; };
struct s { struct s *next; int a; void *rcu; };
struct other { int b; };
`;
const MADE = "static struct s *make(void) { struct s *p = kzalloc(sizeof(*p), 1); return p; }\n";
const FREED = "static void drop(struct s *p) { kfree(p); }\n";

async function said(text: string) {
  writeFileSync(join(folder, "a.c"), text);
  return (await probe(task, command, view)).said;
}

async function looked(body: string, ofModule: boolean, rules: typeof BESIDE | typeof WITHIN): Promise<Objects> {
  const text = `${HEAD}${body}`;
  const objects = new Objects("s", new Map([["a.c", text]]), ofModule, rules);
  const away = hidden(text, "s", "a.c", rules);
  objects.hiddenUses(await said(away), () => away);
  objects.casts("a.c", text);
  objects.conversions(await said(text));
  objects.answers(await said(readOnly(objects.asking("a.c"), "s")));
  return objects;
}

async function found(body: string, ofModule = false): Promise<string[]> {
  return (await looked(body, ofModule, BESIDE)).inserted().sites.map(({ what }) => what);
}

test("where objects begin and end", async () => {
  expect(await found(`${MADE}${FREED}`)).toEqual(["begins", "ends"]);
  const body = `static struct kmem_cache *cache;
static void setup(void) { cache = kmem_cache_create("s", sizeof(struct s), 0, 0, NULL); if (!cache) return; }
static struct s first;
static struct s *more(struct s *p, struct file *f, struct other *o)
{
	struct s *q = f->private_data;
	p->next = kzalloc(sizeof(*p->next), 1);
	p->next->a = q->a + first.a;
	kfree(o);
	memset(q, 0, sizeof(*q));
	return kmem_cache_alloc(cache, 1);
}
static void done(void *rcu) { struct s *p = container_of(rcu, struct s, rcu); kfree(p->next); kmem_cache_free(cache, p); }
static struct s *known(void *idr) { return idr_find(idr, 1); }
`;
  expect((await found(body)).sort()).toEqual(["begins", "begins", "begins", "ends", "ends"]);
});

test("what is not certain is refused", async () => {
  const refused: readonly (readonly [string, RegExp, boolean?])[] = [
    ["void f(void) { struct s on_stack; on_stack.a = 1; (void)on_stack; }", /on the stack/],
    ["struct holder { struct s in; };", /part of another structure/],
    ["extern struct s row[3];", /not understood|in a row/],
    ["void f(struct s *p, struct s *q) { *p = *q; }", /copied/],
    ["void f(struct s *p, struct s *q) { *p->next = *q->next; }", /copied/],
    ["void f(struct s *p, struct s *q) { memcpy(p, q, sizeof(*p)); }", /given to memcpy/],
    ["struct s *f(struct s *q) { return kmemdup(q, sizeof(*q), 1); }", /given to kmemdup/],
    ["struct s *f(struct s *q, int size) { return kmemdup(q, size, 1); }", /whether it is a new one/],
    ["struct s *f(void *d) { return devm_kzalloc(d, sizeof(struct s), 1); }", /with a device/],
    ["struct s *f(void *d) { return netdev_priv(d); }", /whether it is a new one/],
    ["struct s *f(struct file *f) { return (struct s *)f->cb; }", /another type/],
    ["struct s *f(struct file *f) { struct s *p = (void *)f->cb; return p; }", /not understood/],
    ["#define S(f) ((struct s *)&(f)->cb[0])\nint f(struct file *f) { return S(f)->a; }", /other memory/],
    ["void f(struct s *p) { kfree_rcu(p, rcu); }", /later by itself/],
    ["static struct s first;", /variable of a module/, true],
    [
      "static struct kmem_cache *c; void once(void *); void f(void) { c = kmem_cache_create(NULL, sizeof(struct s), 0, 0, once); }\nvoid g(struct kmem_cache *o) { struct s *p = kmem_cache_alloc(o, 1); (void)p; }",
      /is not known/,
    ],
    ["void f(struct s *p) { p++; p->a = 1; }", /not understood/],
  ];
  const outcomes: string[][] = [];
  for (const [body, , ofModule] of refused)
    outcomes.push([
      body,
      await found(`${MADE}${FREED}${body}\n`, ofModule === true).then(
        () => "carried",
        (error: SutureError) => `${error.code}: ${error.message}`,
      ),
    ]);
  expect(outcomes).toEqual(
    refused.map(([body, why]) => [body, expect.stringMatching(new RegExp(`^BUILD_SHADOW_OBJECT: .*(?:${why.source})`))]),
  );
  await expect(found(MADE)).rejects.toMatchObject({ message: expect.stringMatching(/no place is found where an object ends/) });
});

test("where objects begin with their padding cleared", async () => {
  const body = `#define offsetof(t, m) __builtin_offsetof(t, m)
static struct kmem_cache *cache;
static void setup(void) { cache = kmem_cache_create("s", sizeof(struct s), 0, 0, NULL); }
static struct s first = { .a = 1 };
static struct s *begin(void *d, struct s *p)
{
	if (first.a) return devm_kzalloc(d, sizeof(*p), 1);
	if (p->a) return kmem_cache_zalloc(cache, 1);
	memset(p, 0, sizeof(*p));
	memset(&p->a, 0, offsetof(struct s, rcu) - offsetof(struct s, a));
	memcpy(&p->a, d, sizeof(p->a));
	memcpy(d, p, 8);
	return kmalloc(sizeof(*p), 1 | __GFP_ZERO);
}
static void done(void *rcu, struct s *q) { struct s *p = container_of(rcu, struct s, rcu); kfree_rcu(p, rcu); kfree(q); }
`;
  const { sites, functions } = (await looked(body, true, WITHIN)).begun();
  expect(sites).toHaveLength(5);
  expect([...new Set(functions)]).toEqual(["begin"]);
});

test("where padding may not be cleared", async () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["struct s *f(void) { return kmalloc(sizeof(struct s), 1); }", /kmalloc\(\) does not clear/],
    ["struct s *f(void) { struct s *p = kmalloc(sizeof(*p), 1); return p; }", /kmalloc\(\) does not clear/],
    [
      "static struct kmem_cache *c; void f(void) { c = kmem_cache_create(NULL, sizeof(struct s), 0, 0, NULL); }\nstruct s *g(void) { return kmem_cache_alloc(c, 1); }",
      /kmem_cache_alloc\(\) does not clear/,
    ],
    [
      "static struct kmem_cache *c; void once(void *); void f(void) { c = kmem_cache_create(NULL, sizeof(struct s), 0, 0, once); }",
      /has a constructor/,
    ],
    ["void f(struct s *p) { struct s on_stack = {}; p->next = &on_stack; }", /on the stack/],
    ["void f(struct s *p, struct s *q) { *p = *q; }", /copied/],
    ["struct s *f(struct s *q) { return kmemdup(q, sizeof(*q), 1); }", /given to kmemdup/],
    ["void f(struct s *p) { memset(p, 1, sizeof(*p)); }", /something else than 0/],
    ["void f(struct s *p) { memset(&p->a, 1, 12); }", /memset\(\) may have to do with several/],
    ["void f(struct s *p, void *from, int size) { memcpy(&p->a, from, size); }", /memcpy\(\) may have to do with several/],
    ["void f(struct s *p, void *from) { memcpy(p, from, __builtin_offsetof(struct s, rcu)); }", /memcpy\(\) may have to do with several/],
    ["void f(struct s *p, void *from, int size) { memcpy(p, from, size); }", /written as a whole/],
    ["void f(struct s *p, void *from, int size) { memcpy((char *)p, from, size); }", /written as a whole/],
    ["void f(struct s *p) { *(long *)&p->a = 0; }", /of another type/],
    ["int f(struct s *p, struct s *q) { return memcmp(p, q, sizeof(*p)); }", /given to memcmp/],
    ["struct holder { struct s in; };", /part of another structure/],
  ];
  const outcomes: string[][] = [];
  for (const [body] of refused)
    outcomes.push([
      body,
      await looked(`${MADE}${body}\n`, false, WITHIN).then(
        () => "carried",
        (error: SutureError) => `${error.code}: ${error.message}`,
      ),
    ]);
  expect(outcomes).toEqual(refused.map(([body, why]) => [body, expect.stringMatching(new RegExp(`^BUILD_HOLE: .*(?:${why.source})`))]));
  await expect(looked("static int f(struct s *p) { return p->a; }\n", false, WITHIN).then((one) => one.begun())).rejects.toMatchObject({
    message: expect.stringMatching(/no place is found where an object begins/),
  });
});
